//! A daemon written by hand is required like any other; macros and hand may share one host.
#![deny(warnings)]

use daemon_core::{
    Context, DaemonBase, Declaration, Declared, Definition, Dependency, Interval, Result, Wired, daemon,
};
use std::time::Duration;

struct ByHand;

impl Declared for ByHand {
    const DECLARATION: Declaration = Declaration::new("by-hand").wants(&[Dependency::on::<Data>()]);
}

impl ByHand {
    async fn tick(&self, _cx: &Context) -> Result<()> {
        Ok(())
    }
}

impl Wired for ByHand {
    fn wire(definition: &mut Definition<Self>) {
        definition.every(Interval::new("tick", Duration::from_secs(5), |daemon, cx| Box::pin(daemon.tick(cx))));
    }
}

impl DaemonBase for ByHand {}

#[daemon(no_handlers)]
struct Data;
impl DaemonBase for Data {}

#[daemon(requires(ByHand), wants(Data))]
struct User;

#[daemon]
impl User {
    #[on_ready(ByHand)]
    async fn after(&self) {}
}

impl DaemonBase for User {}

fn main() {
    let _ = Definition::<ByHand>::of();
    assert_eq!(Definition::<User>::of().declaration().requires[0].name(), "by-hand");
}
