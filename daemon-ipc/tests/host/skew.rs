//! Programs that were built from different sources.

use daemon_core::CallError;

use super::*;

/// The room as a program knows it that was built before `greet` took a name.
mod old {
    use super::*;

    #[daemon(name = "room")]
    struct Room;

    #[daemon]
    impl Room {
        #[command]
        fn greet(&self) -> Result<u32> {
            Ok(0)
        }

        #[command]
        fn double(&self, number: u64) -> Result<u64> {
            Ok(number)
        }
    }

    impl DaemonBase for Room {}

    pub(super) async fn greet(connection: &Connection) -> Result<u32, CallError> {
        Room::client(connection).greet().await
    }

    pub(super) async fn double(connection: &Connection) -> Result<u64, CallError> {
        Room::client(connection).double(&21).await
    }
}

#[tokio::test]
async fn what_can_be_read_is_and_what_cannot_is_blamed_on_the_sources() {
    let (host, connection) = started().await;
    assert_eq!(old::double(&connection).await.unwrap(), 42);
    let error = old::greet(&connection).await.unwrap_err();
    assert!(error.is_skewed(), "{error:?}");
    let theirs = host.handle().command_hashes().remove("room").unwrap();
    let text = error.to_string();
    assert!(text.contains("commands of `room`") && text.contains(&format!("{theirs} there")), "{text}");
    let CallError::Skewed { source, .. } = error else { panic!("{error:?}") };
    assert!(matches!(*source, CallError::Request(_)), "{source:?}");
    assert_eq!(connection.hello().unwrap().commands["room"], theirs);
    host.shutdown().await.unwrap();
}
