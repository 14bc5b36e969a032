pub(crate) struct Cache<S: Store, const N: usize = 3>(
    S,
)
where
    S: Clone;
#[automatically_derived]
impl<S: Store, const N: usize> ::daemon_core::__private::Declared for Cache<S, N>
where
    S: Clone,
    Self: ::daemon_core::__private::Send + ::daemon_core::__private::Sync + 'static,
{
    const DECLARATION: ::daemon_core::__private::Declaration = ::daemon_core::__private::Declaration::new(
            "cache",
        )
        .requires(&[::daemon_core::__private::Dependency::on::<S>()]);
    const NAME: &'static ::daemon_core::__private::str = "cache";
}
#[doc(hidden)]
pub(crate) struct __CacheEdges<S: Store, const N: usize = 3>
where
    S: Clone,
{
    of: ::daemon_core::__private::PhantomData<fn() -> Cache<S, N>>,
}
#[automatically_derived]
impl<S: Store, const N: usize> ::daemon_core::__private::Debug for __CacheEdges<S, N>
where
    S: Clone,
{
    fn fmt(
        &self,
        f: &mut ::daemon_core::__private::Formatter<'_>,
    ) -> ::daemon_core::__private::fmt::Result {
        f.write_str("__CacheEdges")
    }
}
#[automatically_derived]
impl<S: Store, const N: usize> Cache<S, N>
where
    S: Clone,
{
    #[doc(hidden)]
    pub(crate) const __EDGES: __CacheEdges<S, N> = __CacheEdges {
        of: ::daemon_core::__private::PhantomData,
    };
}
#[automatically_derived]
impl<S: Store, const N: usize> __CacheEdges<S, N>
where
    S: Clone,
{
    pub(crate) const fn walk(&self, trail: &mut ::daemon_core::__private::Trail) {
        use ::daemon_core::__private::Leaves as _;
        if trail.enter("cache", false) {
            trail.requires();
            <S>::__EDGES.walk(trail);
            trail.leave();
        }
    }
}
#[automatically_derived]
impl<S: Store, const N: usize> ::daemon_core::__private::Wired for Cache<S, N>
where
    S: Clone,
    Self: ::daemon_core::__private::Send + ::daemon_core::__private::Sync + 'static,
{
    fn wire(_: &mut ::daemon_core::__private::Definition<Self>) {}
}
