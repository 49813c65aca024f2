//! Folders of static files.
//!
//! What is served: regular files below the folder, `index.html` for a folder that is asked for with a slash at its end,
//! and a redirect to that for one without. What is not: anything outside (by `..`, by an encoded separator or by a
//! symbolic link: the folder is opened as a capability and paths are resolved beneath it), names that begin with a dot
//! except `.well-known`, and listings. Every answer can be asked for again with `If-None-Match` or `If-Modified-Since`,
//! and in one range.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use coracle_package::manifest::PathPattern;
use futures_util::Stream;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body::{Frame, SizeHint};
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, Take};
use tokio_util::io::ReaderStream;

use crate::body::Body;
use crate::response::ServeError;

/// The largest file that is read at once, and the size of the pieces in which a larger one is, in bytes.
///
/// Reason: one hop to the thread pool serves nearly every page and script, and a slow client holds no more than this.
pub const PIECE_BYTES: usize = 64 * 1024;

/// Browsers may keep a file, and ask each time whether it is still the same: a new deployment is seen at once.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("no-cache");

/// A folder whose files are served.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    root: PathBuf,
}

/// A file that was asked for.
struct Found {
    file: File,
    length: u64,
    modified: Option<SystemTime>,
    content_type: HeaderValue,
}

/// What is at a path.
enum At {
    File(Found),
    /// A folder, asked for without a slash at the end.
    FolderWithoutSlash,
}

impl Folder {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Answers a `GET` or `HEAD` for `path`, which `route` matches.
    pub(crate) async fn serve(
        &self,
        method: &Method,
        route: &PathPattern,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, ServeError> {
        let rest = route.rest(path).ok_or(ServeError::NotFound)?;
        let relative = relative_path(rest).ok_or(ServeError::NotFound)?;
        // An exact route has no address below it that a redirect could lead to.
        let slash = path.ends_with('/') || matches!(route, PathPattern::Exact(_));
        let root = self.root.clone();
        match blocking(move || find(&root, &relative, slash)).await?? {
            At::FolderWithoutSlash => redirect(path),
            At::File(found) => found.respond(method, headers).await,
        }
    }
}

/// The path below the folder that a request's path stands for, or `None` where it stands for none that is served.
fn relative_path(rest: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for (index, segment) in rest.split('/').filter(|segment| !segment.is_empty()).enumerate() {
        let segment = percent_decode_str(segment).decode_utf8().ok()?;
        let hidden = segment.starts_with('.') && !(index == 0 && segment == ".well-known");
        let foreign =
            segment.contains(|character: char| matches!(character, '/' | '\\' | ':') || character.is_control());
        // Windows drops dots and spaces from the end of a name, so that one file would have many names.
        let ambiguous = cfg!(windows) && segment.ends_with(['.', ' ']);
        if hidden || foreign || ambiguous {
            return None;
        }
        path.push(&*segment);
    }
    Some(path)
}

/// Looks a path up beneath `root`. Blocks.
fn find(root: &Path, relative: &Path, slash: bool) -> Result<At, ServeError> {
    let found = || -> io::Result<Option<At>> {
        let root = Dir::open_ambient_dir(root, ambient_authority())?;
        let mut path = if relative.as_os_str().is_empty() { PathBuf::from(".") } else { relative.to_owned() };
        // Looked at before it is opened: opening a pipe would wait for whoever writes to it.
        let mut metadata = root.metadata(&path)?;
        if metadata.is_dir() {
            if !slash {
                return Ok(Some(At::FolderWithoutSlash));
            }
            path.push("index.html");
            metadata = root.metadata(&path)?;
        } else if slash && !relative.as_os_str().is_empty() {
            // `/page.html/` is another address than `/page.html`, and there is nothing at it.
            return Ok(None);
        }
        if !metadata.is_file() {
            return Ok(None);
        }
        let file = root.open(&path)?.into_std();
        let metadata = file.metadata()?;
        let (length, modified) = (metadata.len(), metadata.modified().ok());
        Ok(Some(At::File(Found { file, length, modified, content_type: content_type(&path) })))
    };
    match found() {
        Ok(Some(at)) => Ok(at),
        Ok(None) => Err(ServeError::NotFound),
        Err(error) => match error.kind() {
            // Whether something is there that may not be read is nobody's business outside.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied => {
                Err(ServeError::NotFound)
            }
            _ => {
                tracing::warn!(file = %relative.display(), %error, "a static file cannot be read");
                Err(ServeError::Host)
            }
        },
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ServeError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ServeError::Host)
}

fn redirect(path: &str) -> Result<Response<Body>, ServeError> {
    // Two slashes at the front would name another host.
    let location = format!("/{}/", path.trim_start_matches('/'));
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(header::LOCATION, HeaderValue::try_from(location).map_err(|_| ServeError::NotFound)?);
    Ok(response)
}

fn content_type(path: &Path) -> HeaderValue {
    let mime = mime_guess::from_path(path).first_or_octet_stream();
    let text = mime.type_() == mime_guess::mime::TEXT || mime.subtype() == mime_guess::mime::JAVASCRIPT;
    let name = if text { format!("{}; charset=utf-8", mime.essence_str()) } else { mime.essence_str().to_owned() };
    HeaderValue::try_from(name).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

impl Found {
    /// Changes whenever the file does, as far as its length and its time of change tell.
    fn etag(&self) -> Option<String> {
        let nanoseconds = self.modified?.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_nanos();
        Some(format!("\"{:x}-{nanoseconds:x}\"", self.length))
    }

    async fn respond(self, method: &Method, request: &HeaderMap) -> Result<Response<Body>, ServeError> {
        let mut response = Response::new(Body::empty());
        let etag = self.etag();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
        if let Some(etag) = etag.as_deref().and_then(|etag| HeaderValue::try_from(etag).ok()) {
            headers.insert(header::ETAG, etag);
        }
        let modified = self.modified.map(httpdate::fmt_http_date);
        if let Some(modified) = modified.as_deref().and_then(|date| HeaderValue::try_from(date).ok()) {
            headers.insert(header::LAST_MODIFIED, modified);
        }
        if is_unchanged(request, etag.as_deref(), self.modified) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Ok(response);
        }

        let range = match range(request, etag.as_deref(), modified.as_deref(), self.length) {
            Asked::Whole => None,
            Asked::Part(first, last) => Some((first, last)),
            Asked::Nothing => return Err(ServeError::Range(self.length)),
        };
        let (first, length) = range.map_or((0, self.length), |(first, last)| (first, last - first + 1));
        headers.insert(header::CONTENT_TYPE, self.content_type.clone());
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(header::CONTENT_LENGTH, length.into());
        if let Some((first, last)) = range {
            let range = format!("bytes {first}-{last}/{}", self.length);
            headers.insert(header::CONTENT_RANGE, HeaderValue::try_from(range).map_err(|_| ServeError::Host)?);
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        if *method != Method::HEAD {
            *response.body_mut() = self.read(first, length).await?;
        }
        Ok(response)
    }

    async fn read(self, first: u64, length: u64) -> Result<Body, ServeError> {
        let mut file = self.file;
        let small = usize::try_from(length).ok().filter(|length| *length <= PIECE_BYTES);
        let read = blocking(move || -> io::Result<Body> {
            if first > 0 {
                file.seek(SeekFrom::Start(first))?;
            }
            let Some(length) = small else { return Ok(Body::file(FileBody::new(file, length))) };
            let mut bytes = vec![0; length];
            file.read_exact(&mut bytes)?;
            Ok(Body::full(bytes.into()))
        });
        read.await?.map_err(|_| ServeError::Host)
    }
}

/// `If-None-Match`, or else `If-Modified-Since` (RFC 9110, 13.2.2).
fn is_unchanged(request: &HeaderMap, etag: Option<&str>, modified: Option<SystemTime>) -> bool {
    if request.contains_key(header::IF_NONE_MATCH) {
        let listed = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        return listed.flat_map(|list| list.split(',')).map(str::trim).any(|listed| {
            listed == "*" || etag.is_some_and(|etag| listed.strip_prefix("W/").unwrap_or(listed) == etag)
        });
    }
    let since =
        request.get(header::IF_MODIFIED_SINCE).and_then(|value| httpdate::parse_http_date(value.to_str().ok()?).ok());
    let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).map(|time| time.as_secs()).ok();
    match (since, modified) {
        (Some(since), Some(modified)) => seconds(modified) <= seconds(since),
        _ => false,
    }
}

/// Which part of a file is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Whole,
    /// From this byte to that, both included.
    Part(u64, u64),
    /// A range that the file does not have.
    Nothing,
}

/// One range is answered; several, or one in another unit, are answered with the whole (RFC 9110, 14.2).
fn range(request: &HeaderMap, etag: Option<&str>, modified: Option<&str>, length: u64) -> Asked {
    let value = |name| request.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::trim);
    if value(header::IF_RANGE).is_some_and(|only_if| Some(only_if) != etag && Some(only_if) != modified) {
        return Asked::Whole;
    }
    let parse = || {
        let (first, last) = value(header::RANGE)?.strip_prefix("bytes=")?.split_once('-')?;
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok())?;
        Some(match (first, last) {
            ("", count) => match number(count)?.min(length) {
                0 => Asked::Nothing,
                count => Asked::Part(length - count, length - 1),
            },
            (first, last) => {
                let first = number(first)?;
                let last = if last.is_empty() { u64::MAX } else { number(last)? };
                match first {
                    _ if last < first => return None,
                    first if first >= length => Asked::Nothing,
                    first => Asked::Part(first, last.min(length - 1)),
                }
            }
        })
    };
    parse().unwrap_or(Asked::Whole)
}

/// The body of a larger file, read piece by piece as the client takes it.
pub(crate) struct FileBody {
    pieces: ReaderStream<Take<tokio::fs::File>>,
    left: u64,
}

impl FileBody {
    fn new(file: File, length: u64) -> Self {
        let pieces = ReaderStream::with_capacity(tokio::fs::File::from_std(file).take(length), PIECE_BYTES);
        Self { pieces, left: length }
    }
}

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = std::task::ready!(Pin::new(&mut self.pieces).poll_next(cx));
        Poll::Ready(match piece {
            Some(Ok(piece)) => {
                self.left = self.left.saturating_sub(piece.len() as u64);
                Some(Ok(Frame::data(piece)))
            }
            Some(Err(error)) => Some(Err(error)),
            None if self.left == 0 => None,
            // The file became shorter under its reader: what was promised cannot be kept, and must not look whole.
            None => Some(Err(io::ErrorKind::UnexpectedEof.into())),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use proptest::prelude::*;

    use super::*;

    struct Site {
        _place: tempfile::TempDir,
        folder: Folder,
    }

    fn site() -> Site {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("public");
        std::fs::create_dir_all(root.join("sub/.well-known")).unwrap();
        std::fs::create_dir_all(root.join(".well-known")).unwrap();
        std::fs::write(place.path().join("secret"), "secret").unwrap();
        for (path, text) in [
            ("index.html", "<p>root"),
            ("sub/index.html", "<p>sub"),
            ("a b.txt", "0123456789"),
            (".hidden", "hidden"),
            (".well-known/x", "known"),
            ("sub/.well-known/x", "unknown"),
        ] {
            std::fs::write(root.join(path), text).unwrap();
        }
        std::fs::write(root.join("large.bin"), vec![7; 3 * PIECE_BYTES]).unwrap();
        Site { folder: Folder::new(root), _place: place }
    }

    impl Site {
        async fn ask(&self, path: &str, headers: &[(&'static str, &str)]) -> (StatusCode, HeaderMap, Vec<u8>) {
            let request = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            let route = PathPattern::Prefix("/files".into());
            match self.folder.serve(&Method::GET, &route, path, &request).await {
                Ok(response) => {
                    let (parts, body) = response.into_parts();
                    (parts.status, parts.headers, body.collect().await.unwrap().to_bytes().to_vec())
                }
                Err(ServeError::NotFound) => (StatusCode::NOT_FOUND, HeaderMap::new(), Vec::new()),
                Err(ServeError::Range(_)) => (StatusCode::RANGE_NOT_SATISFIABLE, HeaderMap::new(), Vec::new()),
                Err(error) => panic!("{error:?}"),
            }
        }
    }

    #[tokio::test]
    async fn serves_files_with_their_types() {
        let site = site();
        let (status, headers, body) = site.ask("/files/a%20b.txt", &[]).await;
        assert_eq!((status, body.as_slice()), (StatusCode::OK, b"0123456789".as_slice()));
        assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
        assert_eq!(headers["content-length"], "10");
        assert_eq!(site.ask("/files/", &[]).await.2, b"<p>root");
        assert_eq!(site.ask("/files/sub/", &[]).await.2, b"<p>sub");
        assert_eq!(site.ask("/files/.well-known/x", &[]).await.2, b"known");
        assert_eq!(site.ask("/files/large.bin", &[]).await.2.len(), 3 * PIECE_BYTES);
        let (status, headers, _) = site.ask("/files/sub", &[]).await;
        assert_eq!(
            (status, headers["location"].as_bytes()),
            (StatusCode::PERMANENT_REDIRECT, b"/files/sub/".as_slice())
        );
    }

    #[tokio::test]
    async fn nothing_outside_is_reached() {
        let site = site();
        let mut paths = vec![
            "/files/../secret",
            "/files/%2e%2e/secret",
            "/files/..%2fsecret",
            "/files/sub/..%2f..%2fsecret",
            "/files/..%5csecret",
            "/files/.hidden",
            "/files/sub/.well-known/x",
            "/files/%00",
            "/files/index.html/",
            "/files/c:/windows",
            "/files/%ff",
            "/filesecret",
            "/files/none",
        ];
        if cfg!(unix) {
            #[cfg(unix)]
            std::os::unix::fs::symlink("../secret", site.folder.root.join("link")).unwrap();
            #[cfg(unix)]
            std::os::unix::fs::symlink("/etc/hostname", site.folder.root.join("absolute")).unwrap();
            paths.extend(["/files/link", "/files/absolute"]);
        }
        for path in paths {
            assert_eq!(site.ask(path, &[]).await.0, StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[tokio::test]
    async fn a_known_file_is_not_sent_again() {
        let site = site();
        let (_, headers, _) = site.ask("/files/a%20b.txt", &[]).await;
        let (etag, modified) = (headers["etag"].to_str().unwrap(), headers["last-modified"].to_str().unwrap());
        let status = async |name, value: &str| site.ask("/files/a%20b.txt", &[(name, value)]).await.0;
        assert_eq!(status("if-none-match", etag).await, StatusCode::NOT_MODIFIED);
        assert_eq!(status("if-none-match", &format!("\"x\", W/{etag}")).await, StatusCode::NOT_MODIFIED);
        assert_eq!(status("if-none-match", "\"x\"").await, StatusCode::OK);
        assert_eq!(status("if-modified-since", modified).await, StatusCode::NOT_MODIFIED);
        assert_eq!(status("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT").await, StatusCode::OK);
    }

    #[tokio::test]
    async fn a_range_is_sent_alone() {
        let site = site();
        let ask = async |range: &str| {
            let (status, _, body) = site.ask("/files/a%20b.txt", &[("range", range)]).await;
            (status.as_u16(), String::from_utf8(body).unwrap())
        };
        assert_eq!(ask("bytes=2-4").await, (206, "234".into()));
        assert_eq!(ask("bytes=7-").await, (206, "789".into()));
        assert_eq!(ask("bytes=7-99").await, (206, "789".into()));
        assert_eq!(ask("bytes=-3").await, (206, "789".into()));
        assert_eq!(ask("bytes=10-").await.0, 416);
        assert_eq!(ask("bytes=-0").await.0, 416);
        for whole in ["bytes=4-2", "bytes=1-2,4-5", "lines=1-2", "bytes=+1-2", "bytes=-"] {
            assert_eq!(ask(whole).await.0, 200, "{whole}");
        }
        let stale = [("range", "bytes=2-4"), ("if-range", "\"x\"")];
        assert_eq!(site.ask("/files/a%20b.txt", &stale).await.0, StatusCode::OK);
    }

    proptest! {
        /// Reason: no spelling of a path may leave the folder.
        #[test]
        fn a_relative_path_stays_relative(rest in "(/|\\.|%2e|%2f|%5c|\\\\|:|a){0,12}") {
            if let Some(path) = relative_path(&rest) {
                prop_assert!(path.components().all(|part| matches!(part, std::path::Component::Normal(_))));
            }
        }
    }
}
