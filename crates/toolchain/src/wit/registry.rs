//! Pulling WIT packages from OCI registries: the two requests of the distribution specification, v1.1, that it takes
//! (`GET /v2/NAME/manifests/REFERENCE` and `GET /v2/NAME/blobs/DIGEST`), with everything that is read bounded.
//!
//! An artifact is what `wkg` publishes, by the WASM working group's "Wasm OCI Artifact Layout": an image manifest with one
//! layer of `application/wasm`.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use coracle_package::digest::Digest;
use coracle_package::oci::{Reference, is_loopback};
use coracle_package::unit::format_size;
use serde::Deserialize;
use ureq::Agent;
use ureq::http::StatusCode;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use super::MAX_PACKAGE_BYTES;
use super::credential::{self, Challenge};
use super::error::Refused;
use crate::tool::Environment;

/// How long connecting to a registry may take: as long as a lost packet or two are sent again.
const CONNECT: Duration = Duration::from_secs(10);

/// How long one request to a registry may take, with its redirects and the whole answer: a package of the largest size comes
/// over a slow line in that time.
const REQUEST: Duration = Duration::from_secs(60);

/// The longest manifest of an artifact, in bytes: what the specification lets registries refuse to take.
const MAX_MANIFEST_BYTES: u64 = 4 << 20;

/// The longest answer of what hands out tokens, in bytes: those that are handed out have some thousand.
const MAX_TOKEN_BYTES: u64 = 1 << 20;

/// The longest list of certificate authorities, in bytes: that of all public ones has a quarter of it.
const MAX_AUTHORITIES_BYTES: u64 = 1 << 20;

/// What is read, and how much of it at the most, in bytes.
#[derive(Clone, Copy)]
struct Bound {
    what: &'static str,
    most: u64,
}

const MANIFEST: Bound = Bound { what: "the package's manifest", most: MAX_MANIFEST_BYTES };
const PACKAGE: Bound = Bound { what: "the package", most: MAX_PACKAGE_BYTES as u64 };
const TOKEN: Bound = Bound { what: "the answer with the registry's token", most: MAX_TOKEN_BYTES };
const AUTHORITIES: Bound = Bound { what: "the file that SSL_CERT_FILE names", most: MAX_AUTHORITIES_BYTES };

/// How many redirects are followed: registries send to their storage, which may send on once or twice.
const REDIRECTS: u32 = 4;

/// The kind of layer that holds a component or a WIT package.
const WASM: &str = "application/wasm";

/// The kinds of manifest that are asked for.
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.index.v1+json";

/// Registries, and what they have let us in with.
pub(super) struct Registry {
    environment: Environment,
    /// For registries on this machine: without TLS and without a proxy.
    local: Agent,
    remote: OnceCell<Agent>,
    /// The `Authorization` for each repository that wants one.
    authorized: RefCell<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Descriptor>,
    /// What an index has, which names manifests for different machines.
    manifests: Option<Vec<serde_json::Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
}

/// What a registry answered.
struct Answer {
    status: StatusCode,
    challenge: Option<String>,
    body: Vec<u8>,
}

impl Registry {
    pub(super) fn new(environment: Environment) -> Self {
        let local = Agent::config_builder().proxy(None);
        Self { environment, local: agent(local), remote: OnceCell::new(), authorized: RefCell::default() }
    }

    /// Which content a reference names now.
    pub(super) fn resolve(&self, reference: &Reference) -> Result<Digest, Box<Refused>> {
        let answer = self.get(reference, &format!("manifests/{}", reference.manifest()), MANIFEST)?;
        if answer.status == StatusCode::NOT_FOUND {
            let refused = Refused::data(format!("{} has no such package", reference.registry())).at(reference);
            return Err(refused.hint("check the repository's name and the tag"));
        }
        expect(&answer, reference)?;
        if let Some(digest) = reference.digest() {
            let found = Digest::of(&answer.body);
            if found != *digest {
                return Err(Refused::data("the registry answers with another manifest than the one asked for")
                    .at(reference)
                    .detail(format!("its digest is {found}")));
            }
        }
        let no_package = |what: String| {
            let refused = Refused::data(format!("it is no WIT package: {what}")).at(reference);
            refused.hint("name an artifact that was published by `wkg publish` or `wkg oci push`")
        };
        let manifest: Manifest = serde_json::from_slice(&answer.body)
            .map_err(|error| no_package(format!("its manifest cannot be read: {error}")))?;
        if manifest.manifests.is_some() {
            return Err(no_package("it is an index of artifacts for different machines".to_owned()));
        }
        let [layer] = manifest.layers.as_slice() else {
            return Err(no_package(format!("it has {} layers, and a package has one", manifest.layers.len())));
        };
        if layer.media_type != WASM {
            return Err(no_package(format!("its layer is `{}`, and a package's is `{WASM}`", layer.media_type)));
        }
        if layer.size > PACKAGE.most {
            return Err(Refused::data(PACKAGE.passed()).at(reference));
        }
        layer.digest.parse().map_err(|error| no_package(format!("the digest of its layer: {error}")))
    }

    /// Content by its digest; none where the registry does not have it.
    pub(super) fn content(&self, reference: &Reference, digest: &Digest) -> Result<Option<Vec<u8>>, Box<Refused>> {
        let answer = self.get(reference, &format!("blobs/{digest}"), PACKAGE)?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        expect(&answer, reference)?;
        let found = Digest::of(&answer.body);
        if found != *digest {
            return Err(Refused::data("the registry answers with other content than was asked for")
                .at(reference)
                .detail(format!("asked for {digest}"))
                .detail(format!("came      {found}"))
                .hint("it is damaged, or somebody changes it on the way; nothing of it was used"));
        }
        Ok(Some(answer.body))
    }

    /// Asks a registry, and asks again with what it wants to be asked with.
    fn get(&self, reference: &Reference, what: &str, bound: Bound) -> Result<Answer, Box<Refused>> {
        let (registry, repository) = (reference.registry(), reference.repository());
        let scheme = if reference.is_loopback() { "http" } else { "https" };
        // Docker Hub's registry is not where its references say.
        let host = if registry == "docker.io" { "registry-1.docker.io" } else { registry };
        let url = format!("{scheme}://{host}/v2/{repository}/{what}");
        let known = self.authorized.borrow().get(&format!("{registry}/{repository}")).cloned();
        let asked = known.is_some();
        let answer = self.send(reference, &url, &[], known.as_deref(), bound)?;
        let Some(challenge) = answer.challenge.as_deref().filter(|_| !asked) else { return Ok(answer) };
        let Some(authorization) = self.authorize(reference, challenge)? else { return Ok(answer) };
        let answer = self.send(reference, &url, &[], Some(&authorization), bound)?;
        self.authorized.borrow_mut().insert(format!("{registry}/{repository}"), authorization);
        Ok(answer)
    }

    /// The `Authorization` that a challenge asks for; none where there is nothing to answer it with.
    fn authorize(&self, reference: &Reference, challenge: &str) -> Result<Option<String>, Box<Refused>> {
        let basic = credential::basic(&self.environment, reference)?;
        let (realm, service, scope) = match Challenge::parse(challenge) {
            Some(Challenge::Bearer { realm, service, scope }) => (realm, service, scope),
            Some(Challenge::Basic) => return Ok(basic),
            None => return Ok(None),
        };
        let host = realm.strip_prefix("http://").and_then(|rest| rest.split('/').next());
        let local = host.is_some_and(|host| !host.contains('@') && is_loopback(host));
        if !(realm.starts_with("https://") || (local && reference.is_loopback())) {
            let refused =
                Refused::data("the registry wants a token from where it would cross the network in the clear");
            return Err(refused.at(reference).detail(format!("its realm is {realm}")));
        }
        let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", reference.repository()));
        let query: Vec<(&str, &str)> =
            service.iter().map(|service| ("service", service.as_str())).chain([("scope", scope.as_str())]).collect();
        let answer = self.send(reference, &realm, &query, basic.as_deref(), TOKEN)?;
        expect(&answer, reference)?;
        /// A token by its name of old, by that of OAuth 2, or by both.
        #[derive(Deserialize)]
        struct Token {
            token: Option<String>,
            access_token: Option<String>,
        }
        let token = serde_json::from_slice::<Token>(&answer.body).ok();
        let token = token
            .and_then(|it| it.token.or(it.access_token))
            .ok_or_else(|| Refused::machine("what hands out the registry's tokens answered with none").at(&realm))?;
        Ok(Some(format!("Bearer {token}")))
    }

    fn send(
        &self,
        reference: &Reference,
        url: &str,
        query: &[(&str, &str)],
        authorization: Option<&str>,
        bound: Bound,
    ) -> Result<Answer, Box<Refused>> {
        let agent = if url.starts_with("http://") { &self.local } else { self.remote()? };
        let unreachable = |error: &ureq::Error| {
            let refused = Refused::machine(format!("{} cannot be asked: {}", reference.registry(), why(error)));
            refused.at(reference).hint("check the registry's name, and the network")
        };
        let mut request = agent.get(url).header("Accept", MANIFESTS).query_pairs(query.iter().copied());
        if let Some(authorization) = authorization {
            request = request.header("Authorization", authorization);
        }
        let mut response = request.call().map_err(|error| unreachable(&error))?;
        let challenge = response.headers().get("www-authenticate").and_then(|value| value.to_str().ok());
        let challenge = challenge.filter(|_| response.status() == StatusCode::UNAUTHORIZED).map(str::to_owned);
        // One byte more than there may be.
        let body =
            response.body_mut().with_config().limit(bound.most + 1).read_to_vec().map_err(|error| match error {
                ureq::Error::BodyExceedsLimit(_) => Refused::data(bound.passed()).at(reference),
                error => unreachable(&error),
            })?;
        Ok(Answer { status: response.status(), challenge, body })
    }

    /// What speaks to registries elsewhere: TLS only, by a proxy where the environment says so.
    fn remote(&self) -> Result<&Agent, Box<Refused>> {
        if let Some(agent) = self.remote.get() {
            return Ok(agent);
        }
        let tls = TlsConfig::builder();
        let tls = match (self.environment)("SSL_CERT_FILE") {
            Some(file) => tls.root_certs(authorities(Path::new(&file))?),
            None => tls,
        };
        let agent = agent(Agent::config_builder().https_only(true).tls_config(tls.build()));
        Ok(self.remote.get_or_init(|| agent))
    }
}

/// The certificate authorities in a file, which take the place of the public ones.
fn authorities(file: &Path) -> Result<RootCerts, Box<Refused>> {
    let pem = super::store::read(file, AUTHORITIES.most).map_err(Refused::io(file))?;
    let pem = pem.ok_or_else(|| Refused::machine(AUTHORITIES.passed()).at(file.display()))?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        let refused = Refused::machine("there is no certificate in the file that SSL_CERT_FILE names");
        return Err(refused.at(file.display()));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

fn agent(config: ureq::config::ConfigBuilder<ureq::typestate::AgentScope>) -> Agent {
    let config = config
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(REQUEST))
        .max_redirects(REDIRECTS)
        .user_agent(concat!("coracle/", env!("CARGO_PKG_VERSION")));
    config.build().new_agent()
}

/// Refuses every answer but a good one.
fn expect(answer: &Answer, reference: &Reference) -> Result<(), Box<Refused>> {
    let registry = reference.registry();
    match answer.status {
        StatusCode::OK => Ok(()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let refused =
                Refused::data(format!("{registry} does not let us read it, or does not have it")).at(reference);
            Err(refused.hint(format!("check the name; where it is private, log in: docker login {registry}")))
        }
        status => Err(Refused::machine(format!("{registry} answers with {status}")).at(reference)),
    }
}

impl Bound {
    /// That there is more.
    fn passed(self) -> String {
        format!("{} is larger than {}, the most that is read", self.what, format_size(self.most))
    }
}

/// Why there is no answer.
fn why(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound => "there is no such host".to_owned(),
        ureq::Error::ConnectionFailed => "it takes no connection".to_owned(),
        ureq::Error::Timeout(_) => "it does not answer in time".to_owned(),
        ureq::Error::TooManyRedirects => "it redirects without end".to_owned(),
        error => error.to_string().trim_start_matches("io: ").to_owned(),
    }
}
