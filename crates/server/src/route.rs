//! From a request's host, path and method to what answers it.
//!
//! The rules, in this order:
//! 1. A host that has routes of its own is served by those; the routes without a host serve every other host, and the
//!    paths that the host's own routes leave open.
//! 2. An exact path comes before a prefix, and a longer prefix before a shorter one. Paths are compared as they were
//!    sent, byte for byte, without decoding.
//! 3. The path decides before the method: where a path is known and none of its routes has the method, the answer is
//!    405, with all the methods that it has in `Allow`.
//! 4. A route that names `GET` answers `HEAD` too. `OPTIONS` on a path whose routes do not name it is answered here,
//!    with 204 and `Allow`; a route that names no methods gets every method, `OPTIONS` included.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use coracle_package::manifest::{self, PathPattern};
use http::Method;
use http::header::HeaderValue;
use http::uri::Authority;

/// One route with what answers it.
#[derive(Debug)]
pub struct Route<T> {
    /// The route as it is written, for logs and metrics.
    pub label: Arc<str>,
    /// The path of the route, which says what is left of a request's path.
    pub path: PathPattern,
    /// What answers.
    pub target: T,
    methods: Vec<Method>,
}

impl<T> Route<T> {
    fn accepts(&self, method: &Method) -> bool {
        self.methods.is_empty()
            || self.methods.contains(method)
            || (*method == Method::HEAD && self.methods.contains(&Method::GET))
    }
}

/// Why no route takes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss {
    /// No route has this path.
    Path,
    /// None of the path's routes has this method.
    Method(HeaderValue),
    /// The method is `OPTIONS`, and nobody else answers it.
    Options(HeaderValue),
}

/// All routes of an app.
#[derive(Debug)]
pub struct Router<T> {
    hosts: HashMap<String, Paths<T>>,
    any_host: Paths<T>,
}

/// The routes of one host.
#[derive(Debug)]
struct Paths<T> {
    exact: HashMap<String, Vec<Route<T>>>,
    /// From the longest to the shortest.
    prefixes: Vec<(String, Vec<Route<T>>)>,
}

impl<T> Default for Paths<T> {
    fn default() -> Self {
        Self { exact: HashMap::new(), prefixes: Vec::new() }
    }
}

impl<T> Router<T> {
    /// Of routes that do not collide, which the manifest has checked.
    pub fn new(routes: impl IntoIterator<Item = (manifest::Route, T)>) -> Self {
        let mut router = Self { hosts: HashMap::new(), any_host: Paths::default() };
        for (route, target) in routes {
            let manifest::Route { host, path, methods, .. } = route;
            let label = format!("{}{path}", host.as_deref().unwrap_or_default()).into();
            // The manifest has checked that these are tokens, which is all that a method needs to be.
            let methods = methods.iter().filter_map(|name| Method::from_bytes(name.as_bytes()).ok()).collect();
            let paths = match host {
                Some(host) => router.hosts.entry(host).or_default(),
                None => &mut router.any_host,
            };
            paths.add(Route { label, path, target, methods });
        }
        router
    }

    /// The route of a request.
    pub fn find(&self, host: Option<&Authority>, path: &str, method: &Method) -> Result<&Route<T>, Miss> {
        self.of_host(host)
            .and_then(|paths| paths.find(path))
            .or_else(|| self.any_host.find(path))
            .map_or(Err(Miss::Path), |routes| by_method(routes, method))
    }

    fn of_host(&self, host: Option<&Authority>) -> Option<&Paths<T>> {
        if self.hosts.is_empty() {
            return None;
        }
        let host = host?.host();
        let host = host.strip_suffix('.').unwrap_or(host);
        match host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            false => self.hosts.get(host),
            true => self.hosts.get(&host.to_ascii_lowercase()),
        }
    }
}

impl<T> Paths<T> {
    fn add(&mut self, route: Route<T>) {
        match &route.path {
            PathPattern::Exact(path) => self.exact.entry(path.clone()).or_default().push(route),
            PathPattern::Prefix(prefix) => {
                let at = self.prefixes.partition_point(|(other, _)| other.len() > prefix.len());
                let same = self.prefixes[at..].iter_mut().take_while(|(other, _)| other.len() == prefix.len());
                match same.into_iter().find(|(other, _)| other == prefix) {
                    Some((_, routes)) => routes.push(route),
                    None => self.prefixes.insert(at, (prefix.clone(), vec![route])),
                }
            }
        }
    }

    /// The routes of the most exact pattern that has this path.
    fn find(&self, path: &str) -> Option<&[Route<T>]> {
        let exact = self.exact.get(path);
        let by_prefix = || {
            let first = |routes: &Vec<Route<T>>| routes.first().is_some_and(|route| route.path.matches(path));
            self.prefixes.iter().map(|(_, routes)| routes).find(|routes| first(routes))
        };
        exact.or_else(by_prefix).map(Vec::as_slice)
    }
}

fn by_method<'a, T>(routes: &'a [Route<T>], method: &Method) -> Result<&'a Route<T>, Miss> {
    // A route that names the method comes before one that takes all of them.
    let named = routes.iter().find(|route| !route.methods.is_empty() && route.accepts(method));
    named.or_else(|| routes.iter().find(|route| route.accepts(method))).ok_or_else(|| {
        let allow = allow(routes);
        if *method == Method::OPTIONS { Miss::Options(allow) } else { Miss::Method(allow) }
    })
}

fn allow<T>(routes: &[Route<T>]) -> HeaderValue {
    let mut methods: BTreeSet<&str> = routes.iter().flat_map(|route| &route.methods).map(Method::as_str).collect();
    if methods.contains("GET") {
        methods.insert("HEAD");
    }
    methods.insert("OPTIONS");
    let list = methods.into_iter().collect::<Vec<_>>().join(", ");
    // Methods are tokens, so the list is a header value.
    HeaderValue::try_from(list).unwrap_or_else(|_| HeaderValue::from_static("OPTIONS"))
}

#[cfg(test)]
mod tests {
    use coracle_package::manifest::RouteTarget;

    use super::*;

    /// Routes written `METHODS HOST PATH`, where `-` stands for none; each has its own text as its target.
    fn router(routes: &[&'static str]) -> Router<&'static str> {
        Router::new(routes.iter().map(|text| {
            let [methods, host, path] = text.split(' ').collect::<Vec<_>>()[..] else { panic!("{text}") };
            let some = |part: &str| (part != "-").then(|| part.to_owned());
            let route = manifest::Route {
                host: some(host),
                path: match path.strip_suffix("/*") {
                    Some(prefix) => PathPattern::Prefix(prefix.to_owned()),
                    None => PathPattern::Exact(path.to_owned()),
                },
                methods: some(methods).iter().flat_map(|list| list.split(',')).map(str::to_owned).collect(),
                target: RouteTarget::Component(text.to_string()),
            };
            (route, *text)
        }))
    }

    fn find(router: &Router<&'static str>, request: &str) -> Result<&'static str, Miss> {
        let [method, host, path] = request.split(' ').collect::<Vec<_>>()[..] else { panic!("{request}") };
        let host = (host != "-").then(|| Authority::try_from(host).unwrap());
        router.find(host.as_ref(), path, &method.parse().unwrap()).map(|route| route.target)
    }

    #[test]
    fn the_most_exact_route_wins() {
        let router = router(&["- - /*", "- - /a", "- - /a/*", "- - /a/b/*", "- - /c/*"]);
        for (path, expected) in [
            ("/", "- - /*"),
            ("/x", "- - /*"),
            ("/a", "- - /a"),
            ("/a/", "- - /a/*"),
            ("/a/x", "- - /a/*"),
            ("/ab", "- - /*"),
            ("/a/b", "- - /a/b/*"),
            ("/a/b/c", "- - /a/b/*"),
            ("/c", "- - /c/*"),
            ("/%61", "- - /*"),
        ] {
            assert_eq!(find(&router, &format!("GET - {path}")), Ok(expected), "{path}");
        }
    }

    #[test]
    fn a_host_has_its_own_routes_and_shares_the_rest() {
        let router = router(&["- a.example /x", "- - /x", "- - /y"]);
        assert_eq!(find(&router, "GET a.example /x"), Ok("- a.example /x"));
        assert_eq!(find(&router, "GET A.Example.:8080 /x"), Ok("- a.example /x"));
        assert_eq!(find(&router, "GET b.example /x"), Ok("- - /x"));
        assert_eq!(find(&router, "GET a.example /y"), Ok("- - /y"));
        assert_eq!(find(&router, "GET - /x"), Ok("- - /x"));
        assert_eq!(find(&router, "GET - /z"), Err(Miss::Path));
    }

    #[test]
    fn the_path_decides_before_the_method() {
        let router = router(&["GET - /a", "PUT,DELETE - /a", "- - /*", "POST - /b", "- - /b"]);
        assert_eq!(find(&router, "GET - /a"), Ok("GET - /a"));
        assert_eq!(find(&router, "HEAD - /a"), Ok("GET - /a"));
        assert_eq!(find(&router, "PUT - /a"), Ok("PUT,DELETE - /a"));
        let all = HeaderValue::from_static("DELETE, GET, HEAD, OPTIONS, PUT");
        assert_eq!(find(&router, "POST - /a"), Err(Miss::Method(all.clone())));
        assert_eq!(find(&router, "OPTIONS - /a"), Err(Miss::Options(all)));
        assert_eq!(find(&router, "POST - /b"), Ok("POST - /b"));
        assert_eq!(find(&router, "GET - /b"), Ok("- - /b"));
        assert_eq!(find(&router, "OPTIONS - /b"), Ok("- - /b"));
    }
}
