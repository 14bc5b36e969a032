#[automatically_derived]
impl ::daemon_core::__private::Event for Created {
    const TOPIC: &'static ::daemon_core::__private::str = "data:*:created";
    const RETAIN: ::daemon_core::__private::bool = true;
}
