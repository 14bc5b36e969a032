::core::compile_error! {
    "unknown unit \"parsecs\" in duration \"5 parsecs\"; expected one of ns, us, ms, s, m, h, d"
}
impl UserDaemon {
    async fn tick(&self) {
        self.helper()
    }
    async fn stats(&self) -> Result<Stats> {
        todo()
    }
    #[inline]
    fn helper(&self) {}
}
#[automatically_derived]
impl ::daemon_core::__private::Wired for UserDaemon {
    fn wire(definition: &mut ::daemon_core::__private::Definition<Self>) {
        use ::daemon_core::__private;
        let _: &__private::Definition<Self> = definition;
    }
}
/// Calls the commands of [`UserDaemon`] from anywhere; [`UserDaemon::client`] makes one.
#[allow(dead_code, unreachable_pub, private_interfaces)]
pub struct UserDaemonClient<C> {
    call: C,
    daemon: &'static ::daemon_core::__private::str,
    timeout: ::daemon_core::__private::Option<::daemon_core::__private::Duration>,
}
#[automatically_derived]
impl<C: ::daemon_core::__private::Clone> ::daemon_core::__private::Clone
for UserDaemonClient<C> {
    fn clone(&self) -> Self {
        Self {
            call: ::daemon_core::__private::Clone::clone(&self.call),
            daemon: self.daemon,
            timeout: self.timeout,
        }
    }
}
#[automatically_derived]
impl<C: ::daemon_core::__private::Copy> ::daemon_core::__private::Copy
for UserDaemonClient<C> {}
#[automatically_derived]
impl<C> ::daemon_core::__private::Debug for UserDaemonClient<C> {
    fn fmt(
        &self,
        f: &mut ::daemon_core::__private::Formatter<'_>,
    ) -> ::daemon_core::__private::fmt::Result {
        f.debug_struct("UserDaemonClient")
            .field("daemon", &self.daemon)
            .finish_non_exhaustive()
    }
}
#[allow(dead_code, unreachable_pub, private_interfaces)]
impl<C: ::daemon_core::__private::Call> UserDaemonClient<C> {
    /// Calls the instance of this name instead of the type's own.
    #[must_use]
    pub fn instance(mut self, name: &'static ::daemon_core::__private::str) -> Self {
        self.daemon = name;
        self
    }
    /// Waits this long for each reply; after it a call is given up with `CallError::Timeout`. Otherwise as long as the command
    /// may take, or 30 s if that is not limited.
    ///
    /// A command that was called goes on all the same.
    #[must_use]
    pub fn timeout(mut self, limit: ::daemon_core::__private::Duration) -> Self {
        self.timeout = ::daemon_core::__private::Option::Some(limit);
        self
    }
    /// Calls the command `stats`.
    ///
    /// # Errors
    ///
    /// What the command failed with, or why it could not be called or brought no reply.
    pub async fn stats(
        &self,
    ) -> ::daemon_core::__private::Result<Stats, ::daemon_core::__private::CallError> {
        use ::daemon_core::__private as __private;
        let limit = self.timeout.unwrap_or(__private::DEFAULT_TIMEOUT);
        __private::ask::<
            (),
            Stats,
        >(&self.call, (self.daemon, "stats"), &(), limit, Self::__commands)
            .await
    }
    #[allow(unused_mut)]
    fn __commands() -> ::daemon_core::__private::Vec<
        ::daemon_core::__private::Signature,
    > {
        use ::daemon_core::__private as __private;
        let mut commands = __private::Vec::new();
        commands
            .push(
                __private::Signature::new(
                    "stats",
                    {
                        #[allow(unused_imports)]
                        use __private::{WithSchema as _, WithoutSchema as _};
                        (&__private::SchemaOf::<()>::ASK).schema()
                    },
                    {
                        #[allow(unused_imports)]
                        use __private::{WithSchema as _, WithoutSchema as _};
                        (&__private::SchemaOf::<Stats>::ASK).schema()
                    },
                ),
            );
        commands
    }
}
#[allow(dead_code, unreachable_pub, private_interfaces)]
impl UserDaemon {
    /// The daemon's commands, called through `call`: a context, a host's handle, or a test double.
    #[must_use]
    pub fn client<C: ::daemon_core::__private::Call>(call: C) -> UserDaemonClient<C> {
        UserDaemonClient {
            call,
            daemon: <Self as ::daemon_core::__private::Declared>::NAME,
            timeout: ::daemon_core::__private::Option::None,
        }
    }
}
