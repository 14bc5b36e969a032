use std::sync::Arc;

use super::*;
use crate::entity::{ChatMessage, TABLES};

fn message(id: &str, text: &str) -> ChatMessage {
    ChatMessage { id: id.into(), room: "general".into(), sender: "you".into(), text: text.into(), sent_ms: 7 }
}

fn put(id: &str, text: &str) -> Change {
    Change::Put(ChatMessage::TABLE, message(id, text).to_row())
}

async fn open(location: Location) -> (Store<u32>, mpsc::UnboundedReceiver<Committed<u32>>) {
    let (committed, commits) = mpsc::unbounded_channel();
    (Store::open(location, &TABLES, committed).await.unwrap(), commits)
}

/// Every backend of this build, with the directory that holds its file.
async fn backends() -> Vec<(Store<u32>, mpsc::UnboundedReceiver<Committed<u32>>, Option<tempfile::TempDir>)> {
    let (store, commits) = open(Location::Memory).await;
    let mut all = vec![(store, commits, None)];
    if cfg!(feature = "sqlite") {
        let dir = tempfile::tempdir().unwrap();
        let (store, commits) = open(Location::File(dir.path().join("chat.db"))).await;
        all.push((store, commits, Some(dir)));
    }
    all
}

#[tokio::test]
async fn a_write_tells_what_became_of_each_row() {
    for (store, mut commits, _dir) in backends().await {
        assert_eq!(store.write(vec![put("1", "a"), put("2", "b")], 1).await.unwrap(), [Outcome::Created; 2]);
        let ensure = Change::Ensure(ChatMessage::TABLE, message("2", "other").to_row());
        let delete = |id: &str| Change::Delete(ChatMessage::TABLE, id.to_owned());
        let second = vec![put("1", "a"), put("1", "changed"), ensure, delete("1"), delete("1")];
        let expected = [Outcome::Unchanged, Outcome::Updated, Outcome::Unchanged, Outcome::Deleted, Outcome::Unchanged];
        assert_eq!(store.write(second, 2).await.unwrap(), expected);

        let rows = store.read(Query::All(ChatMessage::TABLE)).await.unwrap();
        assert_eq!(rows, [message("2", "b").to_row()]);
        assert_eq!(store.read(Query::Count(ChatMessage::TABLE)).await.unwrap(), [[Value::Integer(1)]]);
        let first = commits.recv().await.unwrap();
        assert_eq!((first.payload, first.outcomes.len()), (1, 2));
        assert_eq!(commits.recv().await.unwrap().outcomes, expected);
    }
}

#[tokio::test]
async fn keys_below_a_path_leave_out_its_neighbours() {
    for (store, _commits, _dir) in backends().await {
        let rows = ["src", "src/a.rs", "src/deep/b.rs", "src-old/c.rs", "srd"].map(|path| put(path, ""));
        store.write(rows.into(), 0).await.unwrap();
        let keys = store.read(Query::Keys(ChatMessage::TABLE, Some("src".into()))).await.unwrap();
        assert_eq!(keys, [[Value::Text("src/a.rs".into())], [Value::Text("src/deep/b.rs".into())]]);
    }
}

#[tokio::test]
async fn closing_carries_out_what_is_queued_and_later_calls_say_so() {
    for (store, mut commits, _dir) in backends().await {
        let store = Arc::new(store);
        let writers: Vec<_> = (0..100_u32)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move { store.write(vec![put(&n.to_string(), "x")], n).await })
            })
            .collect();
        tokio::task::yield_now().await;
        store.close().await.unwrap();
        let mut stored = 0;
        for writer in writers {
            stored += usize::from(writer.await.unwrap().is_ok());
        }
        let mut announced = 0;
        while commits.recv().await.is_some() {
            announced += 1;
        }
        assert_eq!(stored, announced, "a write that was answered is announced, and no other");
        assert!(matches!(store.write(vec![], 0).await, Err(StoreError::Closed)));
        store.close().await.unwrap();
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::*;

    async fn failure(path: &std::path::Path) -> StoreError {
        let (committed, _commits) = mpsc::unbounded_channel::<Committed<u32>>();
        Store::open(Location::File(path.into()), &TABLES, committed).await.unwrap_err()
    }

    #[tokio::test]
    async fn rows_are_there_when_the_file_is_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = || Location::File(dir.path().join("chat.db"));
        let (store, _commits) = open(file()).await;
        store.write(vec![put("1", "naïve \u{0} 漢字")], 0).await.unwrap();
        store.close().await.unwrap();
        let (store, _commits) = open(file()).await;
        let mut rows = store.read(Query::All(ChatMessage::TABLE)).await.unwrap();
        assert_eq!(ChatMessage::from_row(rows.remove(0)).unwrap(), message("1", "naïve \u{0} 漢字"));
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_named_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("chat.db");
        let garbage = "not a database ".repeat(1000);
        std::fs::write(&path, &garbage).unwrap();
        assert!(matches!(failure(&path).await, StoreError::Damaged { .. }));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), garbage);
    }

    #[tokio::test]
    async fn a_damaged_page_is_found_when_the_file_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("chat.db");
        let (store, _commits) = open(Location::File(path.clone())).await;
        let rows = (0..2000).map(|n| put(&n.to_string(), "some text to fill pages with")).collect();
        store.write(rows, 0).await.unwrap();
        store.close().await.unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle - 8192..middle].fill(0xA5);
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(failure(&path).await, StoreError::Damaged { .. }));
    }

    #[tokio::test]
    async fn another_programs_database_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("other.db");
        rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert!(matches!(failure(&path).await, StoreError::Foreign { .. }));
    }

    #[tokio::test]
    async fn a_lock_and_a_missing_directory_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("chat.db");
        let other = rusqlite::Connection::open(&path).unwrap();
        other.execute_batch("CREATE TABLE IF NOT EXISTS x (y); DROP TABLE x; BEGIN EXCLUSIVE").unwrap();
        let error = failure(&path).await;
        assert!(matches!(error, StoreError::Locked { .. }), "{error:?}");
        assert!(matches!(failure(&dir.path().join("no/such/chat.db")).await, StoreError::CannotOpen { .. }));
    }

    #[tokio::test]
    async fn a_full_disk_fails_the_whole_write_and_the_next_one_may_succeed() {
        let dir = tempfile::tempdir().unwrap();
        let mut database =
            super::super::sqlite::Sqlite::open(Location::File(dir.path().join("chat.db")), &TABLES).unwrap();
        database.limit_pages(40);
        let large: Vec<Change> = (0..2000).map(|n| put(&n.to_string(), &"x".repeat(100))).collect();
        let error = Backend::apply(&mut database, &mut large.iter()).unwrap_err();
        assert!(matches!(error, StoreError::Full { .. }) && error.is_transient(), "{error:?}");
        assert_eq!(database.read(&Query::Count(ChatMessage::TABLE)).unwrap(), [[Value::Integer(0)]]);
        database.limit_pages(100_000);
        assert_eq!(Backend::apply(&mut database, &mut large.iter()).unwrap().len(), 2000);
    }
}
