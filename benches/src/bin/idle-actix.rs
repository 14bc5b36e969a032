//! actix: one actor that does nothing.

use actix::Actor;

struct Hello;

impl Actor for Hello {
    type Context = actix::Context<Self>;
}

fn main() {
    actix::System::new().block_on(async {
        let _hello = Hello.start();
        benches::ready();
        benches::terminated().await;
        actix::System::current().stop();
    });
}
