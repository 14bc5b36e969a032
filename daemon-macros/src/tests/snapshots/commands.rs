impl<S: Store> Cache<S> {
    /// How many there are.
    ///
    /// Counted, not guessed.
    async fn stats(&self, request: StatsRequest, cx: &Context) -> Result<Stats> {
        todo()
    }
    #[cfg(feature = "admin")]
    fn clear(&self) -> Cleared {
        todo()
    }
}
#[automatically_derived]
impl<S: Store> ::other::core::__private::Wired for Cache<S>
where
    Self: ::other::core::__private::Send + ::other::core::__private::Sync + 'static,
{
    fn wire(definition: &mut ::other::core::__private::Definition<Self>) {
        use ::other::core::__private;
        let _: &__private::Definition<Self> = definition;
        definition
            .command(
                __private::Command::<
                    Self,
                >::new::<
                    StatsRequest,
                    Stats,
                >(
                        "stats",
                        "How many there are.\n\nCounted, not guessed.",
                        |daemon, request, cx| __private::boxed(async move {
                            __private::reply(Self::stats(daemon, request, cx).await)
                        }),
                    )
                    .schemas(
                        {
                            #[allow(unused_imports)]
                            use __private::{WithSchema as _, WithoutSchema as _};
                            (&__private::SchemaOf::<StatsRequest>::ASK).schema()
                        },
                        {
                            #[allow(unused_imports)]
                            use __private::{WithSchema as _, WithoutSchema as _};
                            (&__private::SchemaOf::<Stats>::ASK).schema()
                        },
                    ),
            );
        #[cfg(feature = "admin")]
        definition
            .command(
                __private::Command::<
                    Self,
                >::new::<
                    (),
                    <Cleared as ::other::core::__private::Reply>::Reply,
                >(
                        "clear-all",
                        "",
                        |daemon, (), _| __private::boxed(async move {
                            __private::reply(Self::clear(daemon))
                        }),
                    )
                    .timeout(__private::Duration::new(300u64, 0u32))
                    .schemas(
                        {
                            #[allow(unused_imports)]
                            use __private::{WithSchema as _, WithoutSchema as _};
                            (&__private::SchemaOf::<()>::ASK).schema()
                        },
                        {
                            #[allow(unused_imports)]
                            use __private::{WithSchema as _, WithoutSchema as _};
                            (&__private::SchemaOf::<
                                <Cleared as ::other::core::__private::Reply>::Reply,
                            >::ASK)
                                .schema()
                        },
                    ),
            );
    }
}
/// Calls the commands of [`Cache`] from anywhere; [`Cache::client`] makes one.
#[allow(dead_code, unreachable_pub, private_interfaces)]
pub struct CacheClient<C> {
    call: C,
    daemon: &'static ::other::core::__private::str,
    timeout: ::other::core::__private::Option<::other::core::__private::Duration>,
}
#[automatically_derived]
impl<C: ::other::core::__private::Clone> ::other::core::__private::Clone
for CacheClient<C> {
    fn clone(&self) -> Self {
        Self {
            call: ::other::core::__private::Clone::clone(&self.call),
            daemon: self.daemon,
            timeout: self.timeout,
        }
    }
}
#[automatically_derived]
impl<C: ::other::core::__private::Copy> ::other::core::__private::Copy
for CacheClient<C> {}
#[automatically_derived]
impl<C> ::other::core::__private::Debug for CacheClient<C> {
    fn fmt(
        &self,
        f: &mut ::other::core::__private::Formatter<'_>,
    ) -> ::other::core::__private::fmt::Result {
        f.debug_struct("CacheClient")
            .field("daemon", &self.daemon)
            .finish_non_exhaustive()
    }
}
#[allow(dead_code, unreachable_pub, private_interfaces)]
impl<C: ::other::core::__private::Call> CacheClient<C> {
    /// Calls the instance of this name instead of the type's own.
    #[must_use]
    pub fn instance(mut self, name: &'static ::other::core::__private::str) -> Self {
        self.daemon = name;
        self
    }
    /// Waits this long for each reply; after it a call is given up with `CallError::Timeout`. Otherwise as long as the command
    /// may take, or 30 s if that is not limited.
    ///
    /// A command that was called goes on all the same.
    #[must_use]
    pub fn timeout(mut self, limit: ::other::core::__private::Duration) -> Self {
        self.timeout = ::other::core::__private::Option::Some(limit);
        self
    }
    /// How many there are.
    ///
    /// Counted, not guessed.
    ///
    /// # Errors
    ///
    /// What the command failed with, or why it could not be called or brought no reply.
    pub async fn stats(
        &self,
        request: &StatsRequest,
    ) -> ::other::core::__private::Result<Stats, ::other::core::__private::CallError> {
        use ::other::core::__private as __private;
        let limit = self.timeout.unwrap_or(__private::DEFAULT_TIMEOUT);
        __private::ask::<
            StatsRequest,
            Stats,
        >(&self.call, (self.daemon, "stats"), request, limit, Self::__commands)
            .await
    }
    #[cfg(feature = "admin")]
    /// Calls the command `clear-all`.
    ///
    /// # Errors
    ///
    /// What the command failed with, or why it could not be called or brought no reply.
    pub async fn clear(
        &self,
    ) -> ::other::core::__private::Result<
        <Cleared as ::other::core::__private::Reply>::Reply,
        ::other::core::__private::CallError,
    > {
        use ::other::core::__private as __private;
        let limit = self.timeout.unwrap_or(__private::Duration::new(300u64, 0u32));
        __private::ask::<
            (),
            <Cleared as ::other::core::__private::Reply>::Reply,
        >(&self.call, (self.daemon, "clear-all"), &(), limit, Self::__commands)
            .await
    }
    #[allow(unused_mut)]
    fn __commands() -> ::other::core::__private::Vec<
        ::other::core::__private::Signature,
    > {
        use ::other::core::__private as __private;
        let mut commands = __private::Vec::new();
        commands
            .push(
                __private::Signature::new(
                    "stats",
                    {
                        #[allow(unused_imports)]
                        use __private::{WithSchema as _, WithoutSchema as _};
                        (&__private::SchemaOf::<StatsRequest>::ASK).schema()
                    },
                    {
                        #[allow(unused_imports)]
                        use __private::{WithSchema as _, WithoutSchema as _};
                        (&__private::SchemaOf::<Stats>::ASK).schema()
                    },
                ),
            );
        #[cfg(feature = "admin")]
        commands
            .push(
                __private::Signature::new(
                    "clear-all",
                    {
                        #[allow(unused_imports)]
                        use __private::{WithSchema as _, WithoutSchema as _};
                        (&__private::SchemaOf::<()>::ASK).schema()
                    },
                    {
                        #[allow(unused_imports)]
                        use __private::{WithSchema as _, WithoutSchema as _};
                        (&__private::SchemaOf::<
                            <Cleared as ::other::core::__private::Reply>::Reply,
                        >::ASK)
                            .schema()
                    },
                ),
            );
        commands
    }
}
#[allow(dead_code, unreachable_pub, private_interfaces)]
impl<S: Store> Cache<S> {
    /// The daemon's commands, called through `call`: a context, a host's handle, or a test double.
    #[must_use]
    pub fn client<C: ::other::core::__private::Call>(call: C) -> CacheClient<C>
    where
        Self: ::other::core::__private::Declared,
    {
        CacheClient {
            call,
            daemon: <Self as ::other::core::__private::Declared>::NAME,
            timeout: ::other::core::__private::Option::None,
        }
    }
}
