//! WIT packages from a real registry (Docker's), published by a real client (oras) as `wkg` publishes them.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::App;
use tempfile::TempDir;
use wit_parser::Resolve;

/// How long the registry may take to listen.
const START: Duration = Duration::from_secs(60);

const MONEY: &str = "package shop:money@1.0.0;\n\
    interface types { record amount { cents: u64 } }\n\
    interface rounding { use types.{amount}; round: func(of: amount) -> amount; }\n";

const PRICING: &str = "package shop:pricing@1.0.0;\n\
    interface rules { use shop:money/types@1.0.0.{amount}; price: func(item: string) -> amount; }\n";

const WORLD: &str = "package shop:quote;\nworld quote { import shop:pricing/rules@1.0.0; }\n";

/// A registry that goes away with the test.
struct Registry {
    process: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl Registry {
    fn start() -> Self {
        Self::serve(tempfile::tempdir().unwrap(), "")
    }

    /// Serves what is in the folder; `tls` goes into the configuration of its listener.
    fn serve(folder: TempDir, tls: &str) -> Self {
        let address = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let config = folder.path().join("config.yml");
        let storage = folder.path().join("storage");
        let text = format!(
            "version: 0.1\nlog: {{ level: error }}\nstorage: {{ filesystem: {{ rootdirectory: '{}' }} }}\n\
             http: {{ addr: '{address}'{tls} }}\n",
            storage.display()
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new("docker-registry");
        let process = command.arg("serve").arg(config).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = process.expect("docker-registry is not on this machine: run `cargo xtask test setup`");
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(began.elapsed() < START, "the registry does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { process, address, folder }
    }

    /// The same content, served anew by TLS with a certificate for the address that stands for any of this machine: it reaches
    /// the registry, and is no loopback address. Answers with the certificate's file too.
    #[cfg(target_os = "linux")]
    fn with_tls(mut self) -> (Self, PathBuf) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["0.0.0.0".to_owned()]).unwrap().self_signed(&key).unwrap();
        let (certificate_file, key_file) = (folder.path().join("tls.pem"), folder.path().join("tls.key"));
        fs::write(&certificate_file, certificate.pem()).unwrap();
        fs::write(&key_file, key.serialize_pem()).unwrap();
        let tls = format!(", tls: {{ certificate: '{}', key: '{}' }}", certificate_file.display(), key_file.display());
        (Self::serve(folder, &tls), certificate_file)
    }

    /// Publishes bytes, as a layer of this kind.
    fn publish(&self, name: &str, bytes: &[u8], kind: &str) -> String {
        let package = support::root().join(".tools/pypi/oras");
        assert!(package.is_dir(), "oras is not there: `cargo xtask test e2e` fetches it");
        fs::write(self.folder.path().join("package.wasm"), bytes).unwrap();
        fs::write(self.folder.path().join("config.json"), r#"{"architecture":"wasm","os":"wasip2"}"#).unwrap();
        let program = "import sys, oras.client\n\
            host, target, kind = sys.argv[1:]\n\
            client = oras.client.OrasClient(hostname=host, insecure=True)\n\
            config = 'config.json:application/vnd.wasm.config.v0+json'\n\
            client.push(target=host + '/' + target, files=['package.wasm:' + kind], manifest_config=config)\n";
        let mut python = Command::new("python3");
        python.current_dir(self.folder.path()).env("PYTHONPATH", package).args(["-c", program]);
        let output = python.arg(self.address.to_string()).args([name, kind]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        format!("{}/{name}", self.address)
    }

    fn publish_wit(&self, name: &str, texts: &[&str]) -> String {
        self.publish(name, &encode(texts), "application/wasm")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The last of some packages, in binary form.
fn encode(texts: &[&str]) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let packages: Vec<_> = texts.iter().map(|text| resolve.push_source("package.wit", text).unwrap()).collect();
    wit_component::encode(&resolve, *packages.last().unwrap()).unwrap()
}

/// An app whose component's WIT names what `wit` brings.
struct Shop {
    app: App,
    cache: TempDir,
    variables: Vec<(&'static str, PathBuf)>,
}

impl Shop {
    fn new(wit: &str) -> Self {
        let app = App::new(&format!(
            "[app]\nname = \"shop\"\n[component.quote]\nsource = \"quote.wasm\"\n\
             build = {{ language = \"c\", world = \"quote\" }}\n[wit]\n{wit}\n"
        ));
        fs::create_dir(app.path().join("wit")).unwrap();
        app.write("wit/world.wit", WORLD);
        Self { app, cache: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(support::coracle());
        command.current_dir(self.app.path()).env_clear().env("CORACLE_CACHE", self.cache.path().join("cache"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.args(arguments).output().unwrap()
    }

    /// Where the packages came from and their digests, by name.
    fn fetched(&self, arguments: &[&str]) -> Vec<(String, String, String)> {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |package: &Value, key: &str| package[key].as_str().unwrap().to_owned();
        let packages = answer["packages"].as_array().unwrap().iter();
        packages.map(|it| (text(it, "name"), text(it, "origin"), text(it, "digest"))).collect()
    }

    fn refused(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        said
    }

    fn origin(&self, arguments: &[&str]) -> String {
        self.fetched(arguments).remove(0).1
    }

    fn forget(&mut self) {
        self.cache = tempfile::tempdir().unwrap();
    }

    fn dep(&self, name: &str) -> PathBuf {
        self.app.path().join("wit/deps").join(name).join("package.wit")
    }
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(file, text.replace(from, to)).unwrap();
}

#[test]
fn a_package_stays_what_it_was_until_it_is_updated() {
    let registry = Registry::start();
    let reference = registry.publish_wit("shop/pricing:1.0.0", &[MONEY, PRICING]);
    let mut shop = Shop::new(&format!("\"shop:pricing\" = {{ reference = \"{reference}\" }}"));
    let (_, origin, digest) = shop.fetched(&["wit", "fetch", "--json"]).remove(0);
    assert_eq!(origin, "fetched");
    let lock = fs::read_to_string(shop.app.path().join("coracle.lock")).unwrap();
    assert!(lock.contains(&digest) && lock.contains(&reference), "{lock}");

    // What it needs itself came along, of that only what it uses, and the whole is WIT that parses.
    let money = fs::read_to_string(shop.dep("shop.money-1.0.0")).unwrap();
    assert!(money.contains("record amount") && !money.contains("round"), "{money}");
    assert!(fs::read_to_string(shop.dep("shop.pricing-1.0.0")).unwrap().contains("price: func"));
    assert!(shop.run(&["diff", "wit", "wit"]).status.success());

    assert_eq!(shop.origin(&["wit", "fetch", "--json", "--locked", "--offline"]), "cached");
    shop.forget();
    let said = shop.refused(&["build", "--offline"], 65);
    assert!(said.contains("neither vendored nor in the cache"), "{said}");

    // The tag moves; what is locked does not.
    let changed = PRICING.replace("item: string", "item: u32");
    registry.publish_wit("shop/pricing:1.0.0", &[MONEY, &changed]);
    assert_eq!(shop.fetched(&["wit", "fetch", "--json", "--locked"])[0].2, digest);
    let updated = shop.fetched(&["wit", "update", "--json", ".", "shop:pricing"]).remove(0);
    assert_ne!(updated.2, digest);
    assert!(fs::read_to_string(shop.dep("shop.pricing-1.0.0")).unwrap().contains("item: u32"));

    // What the registry does not have: both digests are told.
    replace(&shop.app.path().join("coracle.lock"), &updated.2[..20], "sha256:0000000000000");
    let said = shop.refused(&["wit", "fetch"], 65);
    assert!(said.contains("the registry does not have the shop:pricing that coracle.lock says"), "{said}");
    assert!(said.contains("locked sha256:0000000000000") && said.contains(&updated.2), "{said}");
}

#[test]
fn a_vendored_package_needs_no_registry_and_cannot_be_changed() {
    let registry = Registry::start();
    let pricing = registry.publish_wit("shop/pricing:1.0.0", &[MONEY, PRICING]);
    let money = registry.publish_wit("shop/money:1.0.0", &[MONEY]);
    let mut shop = Shop::new(&format!(
        "\"shop:pricing\" = {{ reference = \"{pricing}\" }}\n\"shop:money@1.0.0\" = {{ reference = \"{money}\" }}"
    ));
    assert_eq!(shop.fetched(&["wit", "vendor", "--json"]).len(), 2);
    // Where the whole package is named, the part that another brings is completed by it.
    assert!(fs::read_to_string(shop.dep("shop.money-1.0.0")).unwrap().contains("round: func"));
    drop(registry);
    shop.forget();
    assert_eq!(shop.origin(&["wit", "fetch", "--json", "--locked"]), "vendored");
    assert_eq!(shop.origin(&["wit", "vendor", "--json", "--offline"]), "vendored");

    let file = shop.app.path().join("vendor/wit/shop.pricing.wasm");
    let mut bytes = fs::read(&file).unwrap();
    bytes.push(0);
    fs::write(&file, bytes).unwrap();
    let said = shop.refused(&["build"], 65);
    assert!(said.contains("shop:pricing is not what coracle.lock says (vendor/wit/shop.pricing.wasm)"), "{said}");
    let said = shop.refused(&["wit", "vendor", "--offline"], 65);
    assert!(said.contains("neither vendored nor in the cache"), "{said}");
}

#[test]
fn what_is_no_wit_package_is_told_from_one() {
    let registry = Registry::start();
    let component = fs::read(support::sample("hello-rust")).unwrap();
    let other = MONEY.replace("cents: u64", "cents: u32");
    let taxes = "package shop:taxes@1.0.0;\n\
        interface rules { use shop:money/types@1.0.0.{amount}; tax: func() -> amount; }\n";
    let pricing = registry.publish_wit("shop/pricing:1.0.0", &[MONEY, PRICING]);
    let taxes = registry.publish_wit("shop/taxes:1.0.0", &[&other, taxes]);
    let conflict = Shop::new(&format!(
        "\"shop:pricing\" = {{ reference = \"{pricing}\" }}\n\"shop:taxes\" = {{ reference = \"{taxes}\" }}"
    ));
    let said = conflict.refused(&["wit", "fetch"], 65);
    assert!(said.contains("shop:money@1.0.0 is there twice, with different contents"), "{said}");
    assert!(
        said.contains(&pricing) && said.contains(&taxes) && said.contains("field `cents`") | said.contains("u32"),
        "{said}"
    );

    let large = vec![0; (8 << 20) + 1];
    let others = (0..500).map(|it| format!("package shop:p{it}; interface types {{ type t = u8; }}"));
    let uses: String = (0..500).map(|it| format!("use shop:p{it}/types.{{t as t{it}}}; ")).collect();
    let many: Vec<String> = others.chain([format!("package shop:a; interface all {{ {uses} }}")]).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (reference, why) in [
        (registry.publish("a:1", &component, "application/wasm"), "it is a component, and no WIT package"),
        (
            registry.publish("b:1", b"text", "text/plain"),
            "its layer is `text/plain`, and a package's is `application/wasm`",
        ),
        (registry.publish("c:1", &component[..99], "application/wasm"), "it is no WIT package in binary form"),
        (registry.publish("d:1", &large, "application/wasm"), "the package is larger than 8 MiB"),
        (registry.publish_wit("e:1", &many), "bring along more than 500 others"),
        (format!("{}/d:2", registry.address), "has no such package"),
        (pricing, "what [wit] calls shop:a is the package shop:pricing@1.0.0"),
    ] {
        let shop = Shop::new(&format!("\"shop:a\" = {{ reference = \"{reference}\" }}"));
        let said = shop.refused(&["wit", "fetch"], 65);
        assert!(said.contains(why), "{reference}: {said}");
        assert!(!shop.app.path().join("coracle.lock").exists(), "{reference} was locked");
    }
}

/// Stands before a registry: answers each request with what `answer` makes of its head.
fn gate(answer: impl Fn(&str) -> String + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            // A client that has read enough leaves.
            let _ = stream.write_all(answer(&String::from_utf8(head).unwrap()).as_bytes());
        }
    });
    address
}

fn answer(status: &str, header: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{header}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

fn has(head: &str, authorization: &str) -> bool {
    head.to_ascii_lowercase().contains(&format!("authorization: {authorization}\r\n"))
}

/// Stands before a registry, and lets only those in that have the token `open`. `tokens` answers those who ask for one; where it
/// has nothing to say, they are sent away.
fn guard(registry: &Registry, tokens: impl Fn(&str) -> Option<&'static str> + Send + 'static) -> SocketAddr {
    let behind = registry.address;
    gate(move |head| {
        let path = head.split(' ').nth(1).unwrap();
        let own = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("host: ").map(str::to_owned));
        if path.starts_with("/token") {
            return match tokens(head) {
                Some(token) => answer("200 OK", "Content-Type: application/json", token),
                None => answer("401 Unauthorized", "X: y", ""),
            };
        }
        match has(head, "bearer open") {
            true => answer("307 Temporary Redirect", &format!("Location: http://{behind}{path}"), ""),
            false => {
                let realm = format!("http://{}/token", own.unwrap());
                let challenge = format!("WWW-Authenticate: Bearer realm=\"{realm}\",service=\"gate\"");
                answer("401 Unauthorized", &challenge, "")
            }
        }
    })
}

#[test]
fn a_token_is_asked_for_with_what_docker_login_left() {
    let registry = Registry::start();
    registry.publish_wit("shop/pricing:1.0.0", &[MONEY, PRICING]);
    for (token, code) in [
        (r#"{"token":"open"}"#, 0),
        (r#"{"access_token":"open"}"#, 0),
        (r#"{"token":"open","access_token":"open","expires_in":300}"#, 0),
        (r#"{"expires_in":300}"#, 125),
    ] {
        let gate = guard(&registry, move |head| {
            let path = head.split(' ').nth(1).unwrap();
            let asked = path.contains("service=gate") && path.contains("scope=repository%3Ashop%2Fpricing%3Apull");
            // me:secret
            (asked && has(head, "basic bwu6c2vjcmv0")).then_some(token)
        });
        let mut shop = Shop::new(&format!("\"shop:pricing\" = {{ reference = \"{gate}/shop/pricing:1.0.0\" }}"));
        let said = shop.refused(&["wit", "fetch"], 65);
        assert!(said.contains(&format!("docker login {gate}")), "{said}");

        let config = format!(r#"{{"auths":{{"{gate}":{{"auth":"bWU6c2VjcmV0"}}}}}}"#);
        shop.app.write("config.json", config);
        shop.variables.push(("DOCKER_CONFIG", shop.app.path().to_owned()));
        shop.refused(&["wit", "fetch"], code);
    }
}

#[test]
#[cfg(unix)]
fn a_credential_helper_that_has_none_is_no_error() {
    let registry = Registry::start();
    registry.publish_wit("shop/pricing:1.0.0", &[MONEY, PRICING]);
    let gate = guard(&registry, |head| {
        (!head.to_ascii_lowercase().contains("authorization:")).then_some(r#"{"token":"open"}"#)
    });
    let mut shop = Shop::new(&format!("\"shop:pricing\" = {{ reference = \"{gate}/shop/pricing:1.0.0\" }}"));
    shop.app.write("config.json", r#"{"credsStore":"keys"}"#);
    shop.variables.push(("DOCKER_CONFIG", shop.app.path().to_owned()));
    shop.variables.push(("PATH", shop.app.path().to_owned()));
    let helper = |says: &str| {
        let file = shop.app.path().join("docker-credential-keys");
        fs::write(&file, format!("#!/bin/sh\nread -r server\necho '{says}'\nexit 1\n")).unwrap();
        fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    };
    helper("the keys are locked: secret");
    let said = shop.refused(&["wit", "fetch"], 125);
    assert!(said.contains(": docker-credential-keys failed") && !said.contains("secret"), "{said}");
    helper("credentials not found in native keychain");
    assert_eq!(shop.origin(&["wit", "fetch", "--json"]), "fetched");
}

#[test]
fn a_registry_that_lies_is_not_believed() {
    let digest = format!("sha256:{}", "1".repeat(64));
    let manifest =
        format!(r#"{{"schemaVersion":2,"layers":[{{"mediaType":"application/wasm","digest":"{digest}","size":4}}]}}"#);
    let liar = gate(move |head| match head.contains("/blobs/") {
        true => answer("200 OK", "Content-Type: application/wasm", "lies"),
        false if head.contains("/endless/") => answer("200 OK", "X: y", &" ".repeat(5 << 20)),
        false if head.contains("/around/") => {
            let path = head.split(' ').nth(1).unwrap();
            match path.ends_with("-----") {
                true => answer("404 Not Found", "X: y", ""),
                false => answer("307 Temporary Redirect", &format!("Location: {path}-"), ""),
            }
        }
        false if head.contains("/elsewhere/") => {
            answer("401 Unauthorized", "WWW-Authenticate: Bearer realm=\"http://example.com/token\"", "")
        }
        false => answer("200 OK", "Content-Type: application/vnd.oci.image.manifest.v1+json", &manifest),
    });
    for (name, why, code) in [
        ("a:1".to_owned(), "the registry answers with other content than was asked for", 65),
        (
            format!("a@sha256:{}", "2".repeat(64)),
            "the registry answers with another manifest than the one asked for",
            65,
        ),
        ("endless/a:1".to_owned(), "the package's manifest is larger than 4 MiB", 65),
        ("around/a:1".to_owned(), "it redirects without end", 125),
        ("elsewhere/a:1".to_owned(), "in the clear", 65),
    ] {
        let shop = Shop::new(&format!("\"shop:a\" = {{ reference = \"{liar}/{name}\" }}"));
        let said = shop.refused(&["wit", "fetch"], code);
        assert!(said.contains(why), "{name}: {said}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn registries_elsewhere_are_asked_by_tls_and_have_to_show_a_certificate() {
    let registry = Registry::start();
    registry.publish_wit("shop/pricing:1.0.0", &[MONEY, PRICING]);
    let plain = format!("0.0.0.0:{}", registry.address.port());
    let shop = Shop::new(&format!("\"shop:pricing\" = {{ reference = \"{plain}/shop/pricing:1.0.0\" }}"));
    shop.refused(&["wit", "fetch"], 125);

    let (registry, certificate) = registry.with_tls();
    let secure = format!("0.0.0.0:{}", registry.address.port());
    let mut shop = Shop::new(&format!("\"shop:pricing\" = {{ reference = \"{secure}/shop/pricing:1.0.0\" }}"));
    let said = shop.refused(&["wit", "fetch"], 125);
    assert!(said.contains("certificate"), "{said}");
    shop.app.write("large.pem", vec![b' '; (1 << 20) + 1]);
    shop.variables.push(("SSL_CERT_FILE", shop.app.path().join("large.pem")));
    let said = shop.refused(&["wit", "fetch"], 125);
    assert!(said.contains("the file that SSL_CERT_FILE names is larger than 1 MiB"), "{said}");
    shop.variables.push(("SSL_CERT_FILE", certificate));
    assert_eq!(shop.origin(&["wit", "fetch", "--json"]), "fetched");
}
