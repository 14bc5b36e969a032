//! kameo: one actor that does nothing.

use kameo::actor::Spawn;

#[derive(kameo::Actor)]
struct Hello;

#[tokio::main(worker_threads = 1)]
async fn main() {
    let hello = Hello::spawn(Hello);
    hello.wait_for_startup().await;
    benches::ready();
    benches::terminated().await;
    hello.stop_gracefully().await.expect("it runs");
    hello.wait_for_shutdown().await;
}
