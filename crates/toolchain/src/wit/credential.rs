//! What registries are let us in with: the credentials that `docker login` has left.

use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use coracle_package::oci::Reference;
use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};

use super::error::Refused;
use crate::tool::Environment;

/// What Docker files Docker Hub's credentials under.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// What a credential helper prints where it has no credentials for a registry, and then fails.
const NOT_FOUND: &str = "credentials not found in native keychain";

/// The `Authorization` by name and password; none where nobody has logged in.
pub(super) fn basic(environment: &Environment, reference: &Reference) -> Result<Option<String>, Box<Refused>> {
    let folder = environment("DOCKER_CONFIG").map(PathBuf::from).or_else(|| {
        let home = environment("HOME").or_else(|| environment("USERPROFILE"))?;
        Some(PathBuf::from(home).join(".docker"))
    });
    let Some(file) = folder.map(|folder| folder.join("config.json")) else { return Ok(None) };
    let opened = match std::fs::File::open(&file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Refused::io(&file)(error)),
    };
    let registry = reference.registry();
    let server = if registry == "docker.io" { DOCKER_HUB } else { registry };
    let unusable = |what: String| {
        Refused::machine(format!("the credentials for {registry} cannot be used: {what}"))
            .at(file.display())
            .hint(format!("log in anew: docker login {registry}"))
    };
    match get_credential_from_reader(opened, server) {
        Ok(DockerCredential::UsernamePassword(name, password)) => {
            Ok(Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{password}")))))
        }
        Ok(DockerCredential::IdentityToken(_)) => Err(unusable("they are an identity token".to_owned())),
        Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(None),
        Err(CredentialRetrievalError::HelperFailure { stdout, .. }) if stdout.trim() == NOT_FOUND => Ok(None),
        // What a helper printed may be the secret itself.
        Err(CredentialRetrievalError::HelperFailure { helper, .. }) => Err(unusable(format!("{helper} failed"))),
        Err(error) => Err(unusable(error.to_string())),
    }
}

/// What a registry wants to be asked with (`WWW-Authenticate`).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// Name and password.
    Basic,
    /// A token, which `realm` hands out.
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

impl Challenge {
    /// Reads the challenge; none where it is of another kind, or says too little.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, mut rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service, mut scope) = (None, None, None);
        while let Some((key, after)) = rest.split_once("=\"") {
            let (value, after) = after.split_once('"')?;
            match key.trim_start_matches([',', ' ']).to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value.to_owned()),
                "service" => service = Some(value.to_owned()),
                "scope" => scope = Some(value.to_owned()),
                _ => {}
            }
            rest = after;
        }
        Some(Self::Bearer { realm: realm?, service, scope })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_taken_apart() {
        let text =
            r#"Bearer realm="https://auth.example.com/token", service="registry",scope="repository:a:pull,push""#;
        let bearer = Challenge::Bearer {
            realm: "https://auth.example.com/token".to_owned(),
            service: Some("registry".to_owned()),
            scope: Some("repository:a:pull,push".to_owned()),
        };
        assert_eq!(Challenge::parse(text), Some(bearer));
        assert_eq!(Challenge::parse("basic realm=\"x\""), Some(Challenge::Basic));
        for wrong in ["", "Negotiate", "Bearer", "Bearer realm=\"x", "Bearer service=\"x\""] {
            assert_eq!(Challenge::parse(wrong), None, "{wrong}");
        }
    }
}
