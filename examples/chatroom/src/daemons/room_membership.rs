//! `room-membership`: joins users to rooms by rule, whichever of the two comes first.
//!
//! It listens before it looks: its handlers run before the catch-up reads what was there already, so no user and no room
//! falls between the two.

use daemon_core::{Context, DaemonBase, Result, daemon};
use std::collections::BTreeMap;
use tokio::sync::Mutex;

use super::DataDaemon;
use crate::chaos::Strike;
use crate::entity::{Created, Deleted, Room, User, now_ms};
use crate::membership::Membership;
use crate::message::GENERAL;

/// The rooms that are always there.
const STANDING: [&str; 3] = [GENERAL, "dev-updates", "academy"];

#[daemon(name = "room-membership", requires(DataDaemon))]
#[derive(Default)]
pub(crate) struct RoomMembershipDaemon {
    /// Locked across the write, so that rows are written in the order of the decisions.
    membership: Mutex<Membership>,
}

#[daemon]
impl RoomMembershipDaemon {
    #[on_event]
    async fn user_created(&self, user: &Created<User>, cx: &Context) -> Result<()> {
        let mut membership = self.membership.lock().await;
        let changed = membership.user(user, now_ms());
        save(cx, &changed).await
    }

    #[on_event]
    async fn user_deleted(&self, user: &Deleted<User>, cx: &Context) -> Result<()> {
        let mut membership = self.membership.lock().await;
        let changed = membership.user_gone(&user.id);
        save(cx, &changed).await
    }

    #[on_event]
    async fn room_created(&self, room: &Created<Room>, cx: &Context) -> Result<()> {
        let mut membership = self.membership.lock().await;
        let changed = membership.room(room, now_ms());
        save(cx, changed.as_slice()).await
    }

    #[on_event]
    async fn room_deleted(&self, room: &Deleted<Room>) {
        self.membership.lock().await.room_gone(&room.id);
    }

    /// Makes the standing rooms and joins everybody who was there before.
    #[on_ready(DataDaemon)]
    async fn catch_up(&self, cx: &Context) -> Result<()> {
        let data = cx.daemon::<DataDaemon>();
        let standing = STANDING.map(|id| Room { id: id.to_owned(), members: Vec::new(), created_ms: now_ms() });
        data.ensure(cx, &standing).await?;
        let mut membership = self.membership.lock().await;
        for user in data.all::<User>().await? {
            save(cx, &membership.user(&user, now_ms())).await?;
        }
        for room in data.all::<Room>().await? {
            save(cx, membership.room(&room, now_ms()).as_slice()).await?;
        }
        Ok(())
    }

    /// How many members each room has.
    #[command]
    async fn members(&self) -> Result<BTreeMap<String, usize>> {
        Ok(self.membership.lock().await.counts())
    }

    /// What goes wrong under `--chaos`.
    #[on_event(on_error = restart)]
    async fn struck(&self, strike: &Strike, cx: &Context) -> Result<()> {
        strike.suffer(cx.name()).await
    }
}

impl DaemonBase for RoomMembershipDaemon {}

async fn save(cx: &Context, rooms: &[Room]) -> Result<()> {
    if !rooms.is_empty() {
        cx.daemon::<DataDaemon>().put(cx, rooms).await?;
    }
    Ok(())
}
