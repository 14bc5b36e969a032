//! jsonrpsee: JSON-RPC over a WebSocket, on the loopback interface. The file at the place says at which port.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jsonrpsee::core::client::ClientT;
use jsonrpsee::core::params::ObjectParams;
use jsonrpsee::server::{RpcModule, Server, ServerConfig};
use jsonrpsee::types::{ErrorObjectOwned, Params};
use jsonrpsee::ws_client::{WsClient, WsClientBuilder};
use serde_json::{Value, json};

use crate::contender::{Contender, Echo, InFlight, caller, callers};

fn echo(parameters: &Params<'_>) -> Result<Value, ErrorObjectOwned> {
    let echo: Echo = parameters.parse()?;
    Ok(json!({ "data": echo.data }))
}

#[derive(Clone)]
pub struct WebSocket(Arc<WsClient>);

impl Contender for WebSocket {
    async fn serve(place: PathBuf) {
        let mut methods = RpcModule::new(());
        methods.register_method("echo", |parameters, _, _| echo(&parameters)).expect("a method");
        let config = ServerConfig::builder().max_connections(2_000).build();
        let server = Server::builder().set_config(config).build("127.0.0.1:0").await.expect("a port");
        let port = server.local_addr().expect("a port").port();
        std::fs::write(place, port.to_string()).expect("a place for the port");
        benches::ready();
        server.start(methods).stopped().await;
    }

    async fn connect(place: &Path, _: Option<usize>) -> Self {
        let port = std::fs::read_to_string(place).expect("a port");
        let client = WsClientBuilder::default().build(format!("ws://127.0.0.1:{port}")).await;
        Self(Arc::new(client.expect("a server")))
    }

    async fn call(&mut self, data: &str) -> usize {
        let mut parameters = ObjectParams::new();
        parameters.insert("data", data).expect("JSON");
        let answer: Echo = self.0.request("echo", parameters).await.expect("an answer");
        answer.data.len()
    }

    async fn in_flight(self, load: InFlight) -> Option<u64> {
        callers(load.count, || caller(self.clone(), load.clone())).await
    }
}
