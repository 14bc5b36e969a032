//! ractor: one actor that does nothing.

struct Hello;

impl ractor::Actor for Hello {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ractor::ActorRef<()>, (): ()) -> Result<(), ractor::ActorProcessingErr> {
        Ok(())
    }
}

#[tokio::main(worker_threads = 1)]
async fn main() {
    let (hello, ended) = ractor::Actor::spawn(None, Hello, ()).await.expect("its start cannot fail");
    benches::ready();
    benches::terminated().await;
    hello.stop(None);
    drop(ended.await);
}
