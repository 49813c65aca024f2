//! Which servers are believed to be who they say.

use std::fmt;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;

/// The certificate authorities that servers must have a certificate from. Cheap to clone.
#[derive(Clone)]
pub struct Trust {
    config: Arc<ClientConfig>,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust")
    }
}

/// Why a certificate authority cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the certificate authority cannot be used")]
pub struct TrustError(#[from] rustls::Error);

impl Trust {
    /// Trusts the public authorities, by Mozilla's list, and `extra` ones.
    ///
    /// # Errors
    /// [`TrustError`] if an extra certificate is not one.
    pub fn new(extra: impl IntoIterator<Item = CertificateDer<'static>>) -> Result<Trust, TrustError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in extra {
            roots.add(certificate)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Trust { config: Arc::new(config) })
    }

    /// The configuration for one client, whose sessions no other client resumes.
    pub(super) fn config(&self) -> Arc<ClientConfig> {
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Arc::new(config)
    }
}

/// Servers whose TLS sessions one client remembers: as many as it has connections, and no more memory than needed.
const SESSIONS: usize = super::MAX_CONNECTIONS;
