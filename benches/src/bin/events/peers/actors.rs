//! An actor for each subscriber.

use std::collections::HashMap;
use std::sync::Arc;

use benches::{Subscriber, UserCreated};

use crate::contender::{CAPACITY, Contender};

type Shared = Arc<UserCreated>;

struct RactorListener;

struct Told(Shared);

impl ractor::Actor for RactorListener {
    type Msg = Told;
    type State = Arc<Subscriber>;
    type Arguments = Arc<Subscriber>;

    async fn pre_start(
        &self,
        _: ractor::ActorRef<Told>,
        subscriber: Arc<Subscriber>,
    ) -> Result<Arc<Subscriber>, ractor::ActorProcessingErr> {
        Ok(subscriber)
    }

    async fn handle(
        &self,
        _: ractor::ActorRef<Told>,
        told: Told,
        subscriber: &mut Arc<Subscriber>,
    ) -> Result<(), ractor::ActorProcessingErr> {
        subscriber.on_event_async(&told.0).await;
        Ok(())
    }
}

/// Actors in a process group, each told in turn.
#[derive(Clone)]
pub struct RactorGroup {
    actors: Vec<ractor::ActorRef<Told>>,
    group: String,
}

impl RactorGroup {
    async fn spawn(subscribers: &[Arc<Subscriber>]) -> Vec<ractor::ActorRef<Told>> {
        let mut actors = Vec::new();
        for subscriber in subscribers {
            let (actor, _) =
                ractor::Actor::spawn(None, RactorListener, subscriber.clone()).await.expect("its start cannot fail");
            actors.push(actor);
        }
        actors
    }

    fn tell(group: &String, event: UserCreated) {
        let event = Arc::new(event);
        for cell in ractor::pg::get_members(group) {
            drop(cell.send_message::<Told>(Told(event.clone())));
        }
    }
}

impl Contender for RactorGroup {
    async fn one_topic(subscribers: &[Arc<Subscriber>]) -> Self {
        let (actors, group) = (Self::spawn(subscribers).await, "users.created".to_owned());
        ractor::pg::join(group.clone(), actors.iter().map(|actor| actor.get_cell()).collect());
        Self { actors, group }
    }

    async fn publish(&mut self, event: UserCreated) {
        Self::tell(&self.group, event);
    }

    async fn topics(names: &[String], subscribers: &[Arc<Subscriber>]) -> Option<Self> {
        let actors = Self::spawn(subscribers).await;
        for (name, actor) in names.iter().zip(&actors) {
            ractor::pg::join(name.clone(), vec![actor.get_cell()]);
        }
        Some(Self { actors, group: String::new() })
    }

    async fn publish_to(&mut self, _: usize, name: &str, event: UserCreated) {
        Self::tell(&name.to_owned(), event);
    }

    async fn stop(self) {
        for actor in self.actors {
            drop(actor.stop_and_wait(None, None).await);
        }
    }
}

#[derive(kameo::Actor)]
struct KameoListener(Arc<Subscriber>);

#[derive(Clone)]
struct Published(Shared);

impl kameo::message::Message<Published> for KameoListener {
    type Reply = ();

    async fn handle(&mut self, published: Published, _: &mut kameo::message::Context<Self, ()>) {
        self.0.on_event_async(&published.0).await;
    }
}

/// The publisher's own `PubSub`, with delivery guaranteed.
pub struct KameoPubSub {
    topic: kameo_actors::pubsub::PubSub<Published>,
    actors: Vec<kameo::actor::ActorRef<KameoListener>>,
}

impl Contender for KameoPubSub {
    async fn one_topic(subscribers: &[Arc<Subscriber>]) -> Self {
        use kameo::actor::Spawn;
        let mut topic = kameo_actors::pubsub::PubSub::new(kameo_actors::DeliveryStrategy::Guaranteed);
        let mut actors = Vec::new();
        for subscriber in subscribers {
            let mailbox = kameo::mailbox::bounded(CAPACITY);
            let actor = KameoListener::spawn_with_mailbox(KameoListener(subscriber.clone()), mailbox);
            actor.wait_for_startup().await;
            topic.subscribe(actor.clone());
            actors.push(actor);
        }
        Self { topic, actors }
    }

    async fn publish(&mut self, event: UserCreated) {
        self.topic.publish(Published(Arc::new(event))).await;
    }

    async fn stop(self) {
        for actor in self.actors {
            actor.kill();
        }
    }
}

struct ActixListener(Arc<Subscriber>);

#[derive(Clone)]
struct Sent(Shared);

impl actix::Message for Sent {
    type Result = ();
}

impl actix::Actor for ActixListener {
    type Context = actix::Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(CAPACITY);
    }
}

impl actix::Handler<Sent> for ActixListener {
    type Result = ();

    fn handle(&mut self, sent: Sent, _: &mut Self::Context) {
        self.0.on_event(&sent.0);
    }
}

/// Recipients, each sent to in turn.
pub struct ActixRecipient {
    all: Vec<actix::Recipient<Sent>>,
    named: HashMap<String, actix::Recipient<Sent>>,
}

fn recipients(subscribers: &[Arc<Subscriber>]) -> impl Iterator<Item = actix::Recipient<Sent>> {
    subscribers.iter().map(|subscriber| actix::Actor::start(ActixListener(subscriber.clone())).recipient())
}

impl Contender for ActixRecipient {
    async fn one_topic(subscribers: &[Arc<Subscriber>]) -> Self {
        Self { all: recipients(subscribers).collect(), named: HashMap::new() }
    }

    async fn publish(&mut self, event: UserCreated) {
        let event = Arc::new(event);
        for recipient in &self.all {
            recipient.do_send(Sent(event.clone()));
        }
    }

    async fn topics(names: &[String], subscribers: &[Arc<Subscriber>]) -> Option<Self> {
        let named = names.iter().cloned().zip(recipients(subscribers)).collect();
        Some(Self { all: Vec::new(), named })
    }

    async fn publish_to(&mut self, _: usize, name: &str, event: UserCreated) {
        self.named[name].do_send(Sent(Arc::new(event)));
    }
}
