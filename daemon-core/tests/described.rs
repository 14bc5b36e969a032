//! What a host says of its commands, calls that carry JSON, and programs that were built from different sources.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

use std::error::Error;
use std::time::Duration;

use daemon_core::{
    Call, CallError, Command, DaemonBase, Declaration, Declared, Definition, Host, Result, Wired, daemon,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Sum {
    of: Vec<i64>,
}

/// Has no schema.
#[derive(Serialize, Deserialize)]
struct Plain {
    text: String,
}

#[daemon]
struct Calculator;

#[daemon]
impl Calculator {
    /// Adds numbers.
    #[command]
    async fn sum(&self, request: Sum) -> Result<i64> {
        Ok(request.of.iter().sum())
    }

    #[command]
    fn plain(&self, request: Plain) -> Result<Plain> {
        Ok(request)
    }

    #[command]
    fn fails(&self) -> Result<()> {
        Err("division by zero".into())
    }
}

impl DaemonBase for Calculator {}

/// By hand.
struct ByHand;

impl Declared for ByHand {
    const DECLARATION: Declaration = Declaration::new("by-hand");
}

impl Wired for ByHand {
    fn wire(definition: &mut Definition<Self>) {
        let double = Command::new("double", "Doubles.", |_, number: i64, _| Box::pin(async move { Ok(2 * number) }));
        let double = double.request_schema(daemon_core::schema_of::<i64>);
        definition.command(double.reply_schema(daemon_core::schema_of::<i64>));
    }
}

impl DaemonBase for ByHand {}

#[tokio::test]
async fn a_host_describes_its_commands_with_the_schemas_that_their_types_have() {
    let host = Host::new("t").daemon(Calculator).daemon(ByHand).start().await.unwrap();
    let commands = host.handle().commands();
    let told: Vec<_> = commands
        .iter()
        .map(|of| (&*of.daemon, &*of.command, &*of.doc, of.request.is_some(), of.reply.is_some()))
        .collect();
    assert_eq!(
        told,
        [
            ("calculator", "sum", "Adds numbers.", true, true),
            ("calculator", "plain", "", false, false),
            ("calculator", "fails", "", true, true),
            ("by-hand", "double", "Doubles.", true, true),
        ]
    );
    let sum = commands[0].request.as_ref().unwrap();
    assert_eq!((&sum["title"], &sum["properties"]["of"]["items"]["type"]), (&"Sum".into(), &"integer".into()));
    let double = serde_json::to_value(&commands[3]).unwrap();
    assert_eq!((&double["request"]["type"], &double["reply"]["type"]), (&"integer".into(), &"integer".into()));
    let hashes = host.handle().command_hashes();
    assert_eq!(hashes.keys().collect::<Vec<_>>(), ["by-hand", "calculator"]);
    assert!(hashes.values().all(|hash| hash.len() == 16) && hashes["by-hand"] != hashes["calculator"]);
    host.shutdown().await.unwrap();
}

#[tokio::test]
async fn json_is_carried_without_its_types() {
    let host = Host::new("t").daemon(Calculator).start().await.unwrap();
    let handle = host.handle();
    let call = async |command: &str, request: &str| handle.call_json("calculator", command, request.to_owned()).await;
    assert_eq!(call("sum", r#"{"of":[9007199254740993,1]}"#).await.unwrap(), "9007199254740994");
    let error = call("sum", r#"{"of":"#).await.unwrap_err();
    assert!(matches!(&error, CallError::Request(_)) && error.source().unwrap().to_string().contains("EOF"), "{error}");
    let error = call("fails", "null").await.unwrap_err();
    assert_eq!(error.to_string(), "the command failed: division by zero");
    let error = handle.call_json("calculatr", "sum", "null".to_owned()).await.unwrap_err();
    assert_eq!(error.to_string(), "no daemon named `calculatr`; this host has: calculator");
    host.shutdown().await.unwrap();
}

/// Another program, which takes the commands of daemons to have these hashes, and answers like this.
struct Elsewhere {
    hash: Option<String>,
    answer: fn() -> Result<String, CallError>,
}

impl Call for Elsewhere {
    async fn call<Q, A>(&self, _daemon: &str, _command: &str, _request: &Q) -> Result<A, CallError>
    where
        Q: Serialize + Send + Sync,
        A: DeserializeOwned + Send,
    {
        serde_json::from_str(&(self.answer)()?).map_err(CallError::reply)
    }

    fn command_hash(&self, daemon: &str) -> Option<String> {
        self.hash.clone().filter(|_| daemon == "calculator")
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_blamed_on_other_sources_only_if_they_are_others() {
    let host = Host::new("t").daemon(Calculator).start().await.unwrap();
    let ours = host.handle().command_hashes().remove("calculator");
    host.shutdown().await.unwrap();

    let ask = async |hash: Option<String>, answer| {
        Calculator::client(Elsewhere { hash, answer }).sum(&Sum { of: vec![] }).await.map_err(|error| error.to_string())
    };
    let wrong = || Ok("\"three\"".to_owned());
    let unread = || Err(CallError::request("missing field `of`"));
    let unrelated = || Err(CallError::failed("overflow"));

    assert_eq!(ask(Some("0".repeat(16)), || Ok("3".to_owned())).await, Ok(3), "what can be read is read");
    for answer in [wrong, unread] as [fn() -> _; 2] {
        let skewed = ask(Some("0".repeat(16)), answer).await.unwrap_err();
        let start = format!(
            "this program and the other take the commands of `calculator` to look different ({} here, 0000000000000000 there)",
            ours.as_deref().unwrap()
        );
        assert!(skewed.starts_with(&start), "{skewed}");
        for same in [ours.clone(), None] {
            let plain = ask(same, answer).await.unwrap_err();
            assert!(!plain.contains("look different"), "{plain}");
        }
    }
    assert_eq!(ask(Some("0".repeat(16)), unrelated).await.unwrap_err(), "the command failed: overflow");
}

#[tokio::test(start_paused = true)]
async fn a_limit_reaches_whoever_carries_the_call() {
    struct Patient;
    impl Call for Patient {
        async fn call<Q, A>(&self, _: &str, _: &str, _: &Q) -> Result<A, CallError>
        where
            Q: Serialize + Send + Sync,
            A: DeserializeOwned + Send,
        {
            std::future::pending().await
        }

        async fn call_within<Q, A>(&self, daemon: &str, command: &str, _: &Q, limit: Duration) -> Result<A, CallError>
        where
            Q: Serialize + Send + Sync,
            A: DeserializeOwned + Send,
        {
            Err(CallError::failed(format!("{daemon}.{command} in {limit:?}")))
        }
    }
    let error = Calculator::client(&Patient).timeout(Duration::from_secs(7)).fails().await.unwrap_err();
    assert_eq!(error.to_string(), "the command failed: calculator.fails in 7s");
}
