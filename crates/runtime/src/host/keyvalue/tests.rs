//! The two drafts over one store in memory, as a guest's calls arrive.

use std::collections::BTreeMap;

use coracle_package::grant::{Grants, KeyValueBackend};
use coracle_package::limit::Limits;

use super::bindings::wasi::{keyvalue0_2_0_draft as draft, keyvalue0_2_0_draft2 as draft2};
use super::*;
use crate::authority::Resolution;
use crate::invocation::Invocation;

/// What a [`View`] looks at.
struct State {
    authority: Authority,
    current: Arc<Current>,
    table: ResourceTable,
    held: Arc<AtomicUsize>,
}

impl State {
    /// A guest that was granted one store by the name `default`.
    fn new() -> Self {
        let grants =
            Grants { keyvalue: BTreeMap::from([("default".to_owned(), KeyValueBackend::Memory)]), ..Grants::default() };
        let resolution = Resolution {
            directory: std::path::Path::new("."),
            variables: &BTreeMap::new(),
            secrets: &BTreeMap::new(),
            environment: &|_| None,
            roots: &[],
        };
        let invocation = Invocation::new(&Limits::http(), None, None);
        Self {
            authority: Authority::resolve(&grants, Limits::http(), &resolution).unwrap(),
            current: Current::of(&Arc::new(invocation)),
            table: ResourceTable::new(),
            held: Arc::default(),
        }
    }

    fn view(&mut self) -> View<'_> {
        View { authority: &self.authority, current: &self.current, table: &mut self.table, held: &self.held }
    }
}

/// Another handle to the same resource, as a guest lends one for a call.
fn lend<T: 'static>(resource: &Resource<T>) -> Resource<T> {
    Resource::new_borrow(resource.rep())
}

#[test]
fn numbers_stand_for_the_last_cursors() {
    let store = coracle_capability::keyvalue::open(&coracle_capability::keyvalue::Backend::Memory).unwrap();
    let mut bucket = Bucket { store, cursors: VecDeque::new(), forgotten: 0 };
    let numbers: Vec<u64> = (0..100).map(|number| bucket.number(format!("key {number}"))).collect();
    assert_eq!(numbers, (1..=100).collect::<Vec<_>>());
    assert_eq!(bucket.cursor(100).unwrap(), "key 99");
    assert_eq!(bucket.cursor(93).unwrap(), "key 92");
    for unknown in [0, 1, 92, 101, u64::MAX] {
        assert!(matches!(bucket.cursor(unknown), Err(StoreError::InvalidCursor)), "{unknown}");
    }
}

#[test]
fn what_handles_hold_is_bounded() {
    let all = Arc::default();
    let half = Bytes::from(vec![0; MAX_HELD / 2]);
    let one = Held::new(&all, Some(&half)).unwrap();
    let _other = Held::new(&all, Some(&half)).unwrap();
    assert!(matches!(Held::new(&all, Some(&Bytes::from_static(b"x"))), Err(Fault::HeldTooMuch)));
    let _nothing = Held::new(&all, None).unwrap();
    drop(one);
    assert!(Held::new(&all, Some(&half)).is_ok());
}

#[tokio::test]
async fn a_store_that_is_not_granted_is_refused_and_noted() {
    let mut state = State::new();
    let long = "x".repeat(10_000);
    for (identifier, noted) in [("", ""), ("other", "other"), (&*long, &long[..MAX_NAME])] {
        let opened = draft::store::Host::open(&mut state.view(), identifier.to_owned()).await.unwrap();
        assert!(matches!(opened, Err(draft::store::Error::AccessDenied)));
        let opened = draft2::store::Host::open(&mut state.view(), identifier.to_owned()).await.unwrap();
        assert!(matches!(opened, Err(draft2::store::Error::AccessDenied)));
        assert!(state.current.get().refusals().contains(&Refusal::Store(noted.to_owned())));
    }
    assert_eq!(state.current.get().refusals().len(), 3, "each is noted once");
}

#[tokio::test]
async fn the_first_draft_keeps_counts_and_lists() {
    use draft::store::HostBucket;
    let mut state = State::new();
    let mut view = state.view();
    let bucket = draft::store::Host::open(&mut view, "default".into()).await.unwrap().unwrap();
    HostBucket::set(&mut view, lend(&bucket), "k".into(), b"v".to_vec()).await.unwrap().unwrap();
    assert_eq!(HostBucket::get(&mut view, lend(&bucket), "k".into()).await.unwrap().unwrap(), Some(b"v".to_vec()));
    assert!(HostBucket::exists(&mut view, lend(&bucket), "k".into()).await.unwrap().unwrap());
    HostBucket::delete(&mut view, lend(&bucket), "k".into()).await.unwrap().unwrap();
    assert_eq!(HostBucket::get(&mut view, lend(&bucket), "k".into()).await.unwrap().unwrap(), None);

    let add = async |view: &mut View<'_>, delta| {
        draft::atomics::Host::increment(view, lend(&bucket), "n".into(), delta).await.unwrap()
    };
    assert_eq!(add(&mut view, 2).await.unwrap(), 2);
    assert_eq!(add(&mut view, 3).await.unwrap(), 5);
    for too_much in [u64::MAX, i64::MAX as u64] {
        let error = add(&mut view, too_much).await.unwrap_err();
        assert!(
            matches!(&error, draft::store::Error::Other(text) if text == "the number is out of range"),
            "{error:?}"
        );
    }

    // More keys than one page takes.
    for page in 0..3 {
        let entries = (0..900).map(|key| (format!("{page}-{key}"), Vec::new())).collect();
        draft::batch::Host::set_many(&mut view, lend(&bucket), entries).await.unwrap().unwrap();
    }
    let (mut keys, mut cursor) = (Vec::new(), None);
    loop {
        let page = HostBucket::list_keys(&mut view, lend(&bucket), cursor).await.unwrap().unwrap();
        keys.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(keys.len(), 2701);
    let error = HostBucket::list_keys(&mut view, lend(&bucket), Some(77)).await.unwrap().unwrap_err();
    assert!(matches!(&error, draft::store::Error::Other(text) if text == "the cursor is not valid"), "{error:?}");

    let wanted = vec!["n".to_owned(), "missing".to_owned()];
    let found = draft::batch::Host::get_many(&mut view, lend(&bucket), wanted.clone()).await.unwrap().unwrap();
    assert_eq!(found, [Some(("n".to_owned(), b"5".to_vec())), None]);
    draft::batch::Host::delete_many(&mut view, lend(&bucket), wanted).await.unwrap().unwrap();
    assert!(!HostBucket::exists(&mut view, lend(&bucket), "n".into()).await.unwrap().unwrap());
    HostBucket::drop(&mut view, bucket).await.unwrap();
}

#[tokio::test]
async fn the_second_draft_swaps_only_what_was_seen() {
    use draft2::atomics::{CasError, Host as Atomics, HostCas};
    let mut state = State::new();
    let mut view = state.view();
    let bucket = draft2::store::Host::open(&mut view, "default".into()).await.unwrap().unwrap();
    let first = HostCas::new(&mut view, lend(&bucket), "k".into()).await.unwrap().unwrap();
    let second = HostCas::new(&mut view, lend(&bucket), "k".into()).await.unwrap().unwrap();
    assert_eq!(HostCas::current(&mut view, lend(&first)).await.unwrap().unwrap(), None);
    Atomics::swap(&mut view, first, b"1".to_vec()).await.unwrap().unwrap();
    let retry = match Atomics::swap(&mut view, second, b"2".to_vec()).await.unwrap().unwrap_err() {
        CasError::CasFailed(retry) => retry,
        CasError::StoreError(error) => panic!("{error:?}"),
    };
    assert_eq!(HostCas::current(&mut view, lend(&retry)).await.unwrap().unwrap(), Some(b"1".to_vec()));
    Atomics::swap(&mut view, retry, b"2".to_vec()).await.unwrap().unwrap();
    assert_eq!(Atomics::increment(&mut view, lend(&bucket), "k".into(), -5).await.unwrap().unwrap(), -3);

    let wanted = vec!["k".to_owned(), "missing".to_owned()];
    let found = draft2::batch::Host::get_many(&mut view, lend(&bucket), wanted).await.unwrap().unwrap();
    assert_eq!(found, [("k".to_owned(), Some(b"-3".to_vec())), ("missing".to_owned(), None)]);
    let error = Atomics::increment(&mut view, lend(&bucket), String::new(), 1).await.unwrap().unwrap_err();
    assert!(matches!(&error, draft2::store::Error::Other(text) if text == "the key is empty"), "{error:?}");
    assert_eq!(state.held.load(Relaxed), 0, "every handle gave back what it held");
}

#[tokio::test]
async fn handles_to_compare_hold_no_more_than_their_share() {
    use draft2::atomics::HostCas;
    let mut state = State::new();
    let mut view = state.view();
    let bucket = draft2::store::Host::open(&mut view, "default".into()).await.unwrap().unwrap();
    let large = vec![0; 8 << 20];
    draft2::store::HostBucket::set(&mut view, lend(&bucket), "k".into(), large).await.unwrap().unwrap();
    let mut handles = Vec::new();
    let error = loop {
        match HostCas::new(&mut view, lend(&bucket), "k".into()).await.unwrap() {
            Ok(handle) => handles.push(handle),
            Err(error) => break error,
        }
    };
    assert_eq!(handles.len(), 2);
    assert!(matches!(error, draft2::store::Error::Other(_)), "{error:?}");
    HostCas::drop(&mut view, handles.remove(0)).await.unwrap();
    assert!(HostCas::new(&mut view, lend(&bucket), "k".into()).await.unwrap().is_ok());
}
