//! Stand-in.
/// All a daemon may ask of its host.
#[derive(Debug)]
pub struct Context(());
impl Context {
    /// The daemon's name.
    #[must_use]
    pub fn name(&self) -> &str {
        let () = self.0;
        ""
    }
    /// When the daemon is to stop.
    pub async fn cancelled(&self) {}
}
