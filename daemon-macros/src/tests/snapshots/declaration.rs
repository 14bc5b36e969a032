pub struct UserDaemon {
    users: Users,
}
#[automatically_derived]
impl ::daemon_core::__private::Declared for UserDaemon {
    const DECLARATION: ::daemon_core::__private::Declaration = ::daemon_core::__private::Declaration::new(
            "user",
        )
        .requires(
            &[
                ::daemon_core::__private::Dependency::on::<DataDaemon>(),
                ::daemon_core::__private::Dependency::named::<Cache>("cache-eu"),
            ],
        )
        .wants(&[::daemon_core::__private::Dependency::on::<Metrics>()])
        .publishes(&[::daemon_core::__private::Published::of::<UserCreated>()])
        .restart(
            ::daemon_core::__private::RestartPolicy::new(
                    ::daemon_core::__private::Restart::OnFailure,
                )
                .backoff(
                    ::daemon_core::__private::Duration::new(1u64, 0u32),
                    ::daemon_core::__private::Duration::new(60u64, 0u32),
                )
                .limit(10u32, ::daemon_core::__private::Duration::new(3600u64, 0u32)),
        )
        .start_timeout(::daemon_core::__private::Duration::new(10u64, 0u32))
        .plane(::daemon_core::__private::Plane::Operations)
        .optional();
    const NAME: &'static ::daemon_core::__private::str = "user";
}
#[doc(hidden)]
pub struct __UserDaemonEdges {
    of: ::daemon_core::__private::PhantomData<fn() -> UserDaemon>,
}
#[automatically_derived]
impl ::daemon_core::__private::Debug for __UserDaemonEdges {
    fn fmt(
        &self,
        f: &mut ::daemon_core::__private::Formatter<'_>,
    ) -> ::daemon_core::__private::fmt::Result {
        f.write_str("__UserDaemonEdges")
    }
}
#[automatically_derived]
impl UserDaemon {
    #[doc(hidden)]
    pub const __EDGES: __UserDaemonEdges = __UserDaemonEdges {
        of: ::daemon_core::__private::PhantomData,
    };
}
#[automatically_derived]
impl __UserDaemonEdges {
    pub const fn walk(&self, trail: &mut ::daemon_core::__private::Trail) {
        use ::daemon_core::__private::Leaves as _;
        if trail.enter("user", true) {
            trail.requires();
            <DataDaemon>::__EDGES.walk(trail);
            trail.requires();
            <Cache>::__EDGES.walk(trail);
            trail.wants();
            <Metrics>::__EDGES.walk(trail);
            trail.leave();
        }
    }
}
const _: () = {
    use ::daemon_core::__private;
    let mut trail = __private::Trail::start();
    <UserDaemon>::__EDGES.walk(&mut trail);
    __private::report(trail.cycle());
};
