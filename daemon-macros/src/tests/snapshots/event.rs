#[automatically_derived]
impl<T> ::daemon_core::__private::Event for UserCreated<T>
where
    Self: ::daemon_core::__private::Send + ::daemon_core::__private::Sync + 'static,
{
    const TOPIC: &'static ::daemon_core::__private::str = "data:users:created";
    fn to_json(
        &self,
    ) -> ::daemon_core::__private::Option<
        ::daemon_core::__private::serde_json::Result<
            ::daemon_core::__private::serde_json::Value,
        >,
    > {
        ::daemon_core::__private::Option::Some(::daemon_core::__private::to_json(self))
    }
}
