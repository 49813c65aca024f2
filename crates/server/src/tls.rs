//! TLS: the certificate, and its renewal without a restart.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// How often the files are looked at.
///
/// Reason: certificates are renewed days before they end, so seconds are soon enough; two small files are read, which
/// works on every file system, also where a change comes as a new symbolic link or over a network and no notice is
/// given.
pub const RELOAD_INTERVAL: Duration = Duration::from_secs(5);

/// Where the certificate chain and its key are, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those that vouch for it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why TLS cannot be spoken with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is not PEM of the right kind.
    #[error("{} holds no {wanted} in PEM form", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
    },
    /// The key is not the certificate's, or of a kind that is not supported.
    #[error("the key does not fit the certificate")]
    Pair(#[source] rustls::Error),
    /// The TLS library refuses its own defaults.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}

/// The certificate in use, which [`Certificate::keep_fresh`] replaces.
pub(crate) struct Certificate {
    files: TlsFiles,
    /// What the files held when they were last looked at.
    seen: Pem,
    current: Arc<Current>,
}

#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// The files' contents.
#[derive(PartialEq, Eq)]
struct Pem {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Certificate {
    pub(crate) fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let seen = read(&files)?;
        let key = parse(&files, &seen)?;
        Ok(Self { files, seen, current: Arc::new(Current(ArcSwap::from_pointee(key))) })
    }

    /// What a listener needs: HTTP/2 where the client has it, else HTTP/1.1; TLS 1.2 and 1.3.
    pub(crate) fn server_config(&self) -> Result<Arc<rustls::ServerConfig>, TlsError> {
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Looks at the files every `interval`, and uses what is in them when it changed and is sound. Never ends.
    pub(crate) async fn keep_fresh(mut self, interval: Duration) {
        loop {
            tokio::time::sleep(interval).await;
            let files = self.files.clone();
            let Ok(pem) = tokio::task::spawn_blocking(move || read(&files)).await else { return };
            // A file that is missing for a moment is about to be replaced; the certificate in use stays.
            let Ok(pem) = pem else { continue };
            if self.seen == pem {
                continue;
            }
            match parse(&self.files, &pem) {
                Ok(key) => {
                    self.current.0.store(Arc::new(key));
                    tracing::info!(certificate = %self.files.certificate.display(), "a new certificate is in use");
                }
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::warn!(%error, cause, "the new certificate cannot be used; the one before stays");
                }
            }
            self.seen = pem;
        }
    }
}

fn read(files: &TlsFiles) -> Result<Pem, TlsError> {
    let read = |path: &Path| std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source });
    Ok(Pem { certificate: read(&files.certificate)?, key: read(&files.key)? })
}

fn parse(files: &TlsFiles, pem: &Pem) -> Result<CertifiedKey, TlsError> {
    let no = |path: &Path, wanted| TlsError::Pem { path: path.to_owned(), wanted };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem.certificate)
        .collect::<Result<_, _>>()
        .map_err(|_| no(&files.certificate, "certificate"))?;
    if chain.is_empty() {
        return Err(no(&files.certificate, "certificate"));
    }
    let key = PrivateKeyDer::from_pem_slice(&pem.key).map_err(|_| no(&files.key, "private key"))?;
    let provider: CryptoProvider = ring::default_provider();
    CertifiedKey::from_der(chain, key, &provider).map_err(TlsError::Pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write_pair(files: &TlsFiles) -> Vec<u8> {
        let pair = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        std::fs::write(&files.certificate, pair.cert.pem()).unwrap();
        std::fs::write(&files.key, pair.signing_key.serialize_pem()).unwrap();
        pair.cert.der().to_vec()
    }

    fn files(place: &tempfile::TempDir) -> TlsFiles {
        TlsFiles { certificate: place.path().join("cert.pem"), key: place.path().join("key.pem") }
    }

    #[test]
    fn what_is_wrong_with_the_files_is_said() {
        let place = tempfile::tempdir().unwrap();
        let files = files(&place);
        assert!(matches!(Certificate::load(files.clone()), Err(TlsError::Read { .. })));
        write_pair(&files);
        let key = std::fs::read(&files.key).unwrap();
        write_pair(&files);
        std::fs::write(&files.key, key).unwrap();
        assert!(matches!(Certificate::load(files.clone()), Err(TlsError::Pair(_))));
        std::fs::write(&files.key, "nothing").unwrap();
        assert!(matches!(Certificate::load(files), Err(TlsError::Pem { wanted: "private key", .. })));
    }

    #[tokio::test]
    async fn a_new_certificate_is_used_and_a_bad_one_is_not() {
        let place = tempfile::tempdir().unwrap();
        let files = files(&place);
        write_pair(&files);
        let certificate = Certificate::load(files.clone()).unwrap();
        let current = Arc::clone(&certificate.current);
        let interval = Duration::from_millis(10);
        let fresh = tokio::spawn(certificate.keep_fresh(interval));

        let second = write_pair(&files);
        let leaf = || current.0.load().cert[0].to_vec();
        let renewed = async {
            while leaf() != second {
                tokio::time::sleep(interval).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), renewed).await.expect("the new certificate is taken");
        std::fs::write(&files.certificate, "nothing").unwrap();
        tokio::time::sleep(interval * 10).await;
        assert_eq!(leaf(), second);
        assert!(!fresh.is_finished());
        fresh.abort();
    }
}
