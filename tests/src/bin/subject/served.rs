//! Hosts that other processes talk to.

use daemon_core::{Context, DaemonBase, Host, Result, daemon};
use daemon_ipc::IpcServer;

use super::{blocked, unknown};

pub(crate) fn of(host: Host, which: &str) -> Result<Host> {
    let (which, path) = which.split_once('@').ok_or_else(|| unknown(which))?;
    let server = if path.is_empty() { IpcServer::new() } else { IpcServer::new().path(path) };
    Ok(match which {
        "blocked" => blocked::of(host.daemon(server), "only-worker")?,
        "calm" => host.daemon(server).daemon(Room),
        _ => return Err(unknown(which)),
    })
}

/// Has something to be asked.
#[daemon(name = "room")]
struct Room;

#[daemon]
impl Room {
    #[command]
    fn echo(&self, request: serde_json::Value) -> Result<serde_json::Value> {
        Ok(request)
    }

    #[command]
    fn fails(&self) -> Result<()> {
        Err("the room is closed".into())
    }

    #[command]
    async fn leave(&self, cx: &Context) -> Result<()> {
        cx.request_shutdown();
        Ok(())
    }
}

impl DaemonBase for Room {}
