use daemon_core::{DaemonBase, daemon};

struct Created;

#[daemon(publishes("data:users:created"), no_handlers)]
struct ByTopic;

impl DaemonBase for ByTopic {}

#[daemon(publishes(Created, Created), no_handlers)]
struct Twice;

impl DaemonBase for Twice {}

#[daemon(publishes = Created, no_handlers)]
struct Assigned;

impl DaemonBase for Assigned {}

fn main() {}
