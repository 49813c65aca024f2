//! A store in Redis.
//!
//! Keys and values are Redis strings under their own names, so other programs can share them. What takes more than one
//! command is a script, which Redis runs whole.

use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ErrorKind, FromRedisValue, IntoConnectionInfo, RedisError, Script, ServerErrorKind, cmd};
use tokio::sync::OnceCell;

use super::{MAX_BATCH_BYTES, MAX_KEY, MAX_PAGE, MAX_VALUE, OpenError, Page, Store, StoreError, Swap};

/// How long connecting may take, within and beyond a data centre.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long an answer may take: far more than Redis needs for anything here, and less than a caller waits.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest pause between attempts to connect again.
pub const RECONNECT_MAX_DELAY: Duration = Duration::from_millis(500);

/// Attempts to connect again before a command fails; the next command starts over.
const RECONNECT_ATTEMPTS: usize = 3;

/// What the scripts answer for what is beyond the bounds.
const TOO_LARGE: &str = "TOOLARGE";

/// Reads values and refuses, before they are sent, more than the given number of bytes.
static READ: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local size = 0 \
         for _, key in ipairs(KEYS) do \
           size = size + redis.call('STRLEN', key) \
           if size > tonumber(ARGV[1]) then return redis.error_reply('TOOLARGE more than the limit') end \
         end \
         return redis.call('MGET', unpack(KEYS))",
    )
});

/// Sets a value if it is as expected: ARGV is the new value and, unless none is expected, the old one. Answers `false`,
/// or the value that is there in a list, which is empty for none.
static SWAP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local current = redis.call('GET', KEYS[1]) \
         if current == (ARGV[2] or false) then redis.call('SET', KEYS[1], ARGV[1]) return false end \
         if not current then return {} end \
         return {current}",
    )
});

/// A store in Redis. Connects when it is first used.
pub(super) struct Redis {
    client: Client,
    connection: OnceCell<ConnectionManager>,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redis")
    }
}

impl Redis {
    pub(super) fn new(address: &str) -> Result<Redis, OpenError> {
        let fault = |text: &str| OpenError::Address(text.to_owned());
        if address.starts_with("rediss://") {
            return Err(fault("TLS (`rediss://`) is not supported; use `redis://`"));
        }
        if !address.starts_with("redis://") {
            return Err(fault("it must start with `redis://`"));
        }
        // The library's own text may repeat the address.
        let info = address
            .into_connection_info()
            .map_err(|_| fault("expected `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`"))?;
        let client = Client::open(info).map_err(|_| fault("the client does not take it"))?;
        Ok(Redis { client, connection: OnceCell::new() })
    }

    async fn connection(&self) -> Result<ConnectionManager, StoreError> {
        let connect = || async {
            let config = ConnectionManagerConfig::new()
                .set_connection_timeout(Some(CONNECT_TIMEOUT))
                .set_response_timeout(Some(RESPONSE_TIMEOUT))
                .set_max_delay(RECONNECT_MAX_DELAY)
                .set_number_of_retries(RECONNECT_ATTEMPTS);
            ConnectionManager::new_lazy_with_config(self.client.clone(), config)
        };
        Ok(self.connection.get_or_try_init(connect).await.map_err(failure)?.clone())
    }

    async fn run<T: FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, StoreError> {
        command.query_async(&mut self.connection().await?).await.map_err(failure)
    }

    /// The values of `keys`, at most `limit` bytes in all; else [`StoreError::BatchTooLarge`].
    async fn read(&self, keys: &[&str], limit: usize) -> Result<Vec<Option<Bytes>>, StoreError> {
        let mut read = READ.prepare_invoke();
        read.arg(limit);
        for key in keys {
            read.key(*key);
        }
        let values: Vec<Option<Vec<u8>>> = read.invoke_async(&mut self.connection().await?).await.map_err(failure)?;
        Ok(values.into_iter().map(|value| value.map(Bytes::from)).collect())
    }
}

/// What went wrong, by what the caller can do about it.
fn failure(error: RedisError) -> StoreError {
    let detail = error.detail().unwrap_or_default();
    match (error.kind(), error.code()) {
        _ if error.is_timeout() => StoreError::TimedOut,
        (_, Some("WRONGTYPE")) => StoreError::WrongKind,
        (_, Some(TOO_LARGE)) => StoreError::BatchTooLarge,
        (_, Some("OOM")) => StoreError::Full,
        // Redis tells these two apart from other errors in their text only.
        (_, Some("ERR")) if detail.contains("not an integer") => StoreError::NotANumber,
        (_, Some("ERR")) if detail.contains("overflow") => StoreError::OutOfRange,
        (ErrorKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown), _) | (ErrorKind::Io, _) => {
            StoreError::Unavailable(Box::new(error))
        }
        _ => StoreError::Failed(Box::new(error)),
    }
}

#[async_trait]
impl Store for Redis {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        match self.read(&[key], MAX_VALUE).await {
            Ok(values) => Ok(values.into_iter().next().flatten()),
            Err(StoreError::BatchTooLarge) => Err(StoreError::ValueTooLarge),
            Err(error) => Err(error),
        }
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), StoreError> {
        self.run(cmd("SET").arg(key).arg(&*value)).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.run(cmd("DEL").arg(key)).await
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        self.run(cmd("EXISTS").arg(key)).await
    }

    async fn list_keys(&self, cursor: Option<&str>) -> Result<Page, StoreError> {
        let cursor: u64 = match cursor {
            Some(cursor) => cursor.parse().map_err(|_| StoreError::InvalidCursor)?,
            None => 0,
        };
        // Redis looks at about as many keys as it is told, and answers with those that are strings.
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("COUNT").arg(MAX_PAGE).arg("TYPE").arg("string");
        let (next, keys): (u64, Vec<Vec<u8>>) = self.run(&scan).await?;
        // Another program's keys that this interface cannot name are none of its keys.
        let keys = keys.into_iter().filter_map(|key| String::from_utf8(key).ok());
        let keys = keys.filter(|key| (1..=MAX_KEY).contains(&key.len())).collect();
        Ok(Page { keys, cursor: (next != 0).then(|| next.to_string()) })
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        self.run(cmd("INCRBY").arg(key).arg(delta)).await
    }

    async fn compare_and_swap(&self, key: &str, expected: Option<Bytes>, value: Bytes) -> Result<Swap, StoreError> {
        let mut swap = SWAP.prepare_invoke();
        swap.key(key).arg(&*value);
        if let Some(expected) = &expected {
            swap.arg(&**expected);
        }
        let current: Option<Vec<Vec<u8>>> = swap.invoke_async(&mut self.connection().await?).await.map_err(failure)?;
        Ok(match current {
            None => Swap::Swapped,
            Some(current) => Swap::Changed(current.into_iter().next().map(Bytes::from)),
        })
    }

    async fn get_many(&self, keys: Vec<String>) -> Result<Vec<Option<Bytes>>, StoreError> {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        self.read(&keys, MAX_BATCH_BYTES).await
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>) -> Result<(), StoreError> {
        let mut set = cmd("MSET");
        for (key, value) in &entries {
            set.arg(key).arg(&**value);
        }
        self.run(&set).await
    }

    async fn delete_many(&self, keys: Vec<String>) -> Result<(), StoreError> {
        self.run(cmd("DEL").arg(keys)).await
    }
}
