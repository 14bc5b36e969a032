use daemon_core::{Context, DaemonBase, Event, daemon};

#[daemon]
struct UserDaemon;

#[derive(Event)]
#[event("data:users:created", local)]
struct UserCreated;

#[daemon]
impl UserDaemon {
    #[every("5s")]
    async fn a(&self, _cx: &Context, _more: &Context) {}

    #[every("5s")]
    async fn b(&self, _n: u32) {}

    #[every("5s")]
    async fn c(&self, _cx: Context) {}

    #[on_event]
    async fn d(&self, _cx: &Context, _event: &UserCreated) {}

    #[on_event]
    async fn e(&self, _event: &UserCreated, _n: &u32, _cx: &Context) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
