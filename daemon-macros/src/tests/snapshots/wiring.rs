impl UserDaemon {
    async fn user_created(&self, event: &data::UserCreated) -> Result<()> {
        self.add(event).await
    }
    async fn renamed(&self, event: &Renamed) {}
    fn typing(&self, event: &Typing) {}
    fn room_created(&self, event: &RoomCreated) {}
    fn room_deleted(&self, event: &RoomDeleted) {}
    #[cfg(unix)]
    fn any(&self, event: &Envelope, cx: &Context) {}
    async fn sync(&self, cx: &Context) -> Result<()> {
        Ok(())
    }
    async fn tick(&self) {}
    async fn tock(&self) {}
    fn by_hand(&self) {}
    async fn warm(&self) {}
    async fn later(&self) {}
    async fn import(&self) {}
    async fn pump(&self) {}
    async fn warmed_up(&self) {}
    async fn answers(&self) {}
    async fn fast(&self) {}
    fn helper(&self) {}
}
#[automatically_derived]
impl ::daemon_core::__private::Wired for UserDaemon {
    fn wire(definition: &mut ::daemon_core::__private::Definition<Self>) {
        use ::daemon_core::__private;
        let _: &__private::Definition<Self> = definition;
        definition
            .on_event(
                __private::EventHandler::<
                    Self,
                    __private::Context,
                >::typed::<
                    data::UserCreated,
                >(
                        "user_created",
                        |daemon, _| __private::place(move |
                            event: __private::Arc<data::UserCreated>|
                        async move {
                            let done = __private::outcome(
                                Self::user_created(daemon, &event).await,
                            );
                            (event, done)
                        }),
                    )
                    .when(__private::filter::<data::UserCreated>(Self::is_new))
                    .capacity(64)
                    .overflow(__private::Overflow::DropOldest)
                    .startup(9)
                    .on_error(__private::OnError::Restart),
            );
        const _: () = __private::report(
            __private::topic(
                "data:users:created",
                <data::UserCreated as __private::Event>::TOPIC,
                "data::UserCreated",
            ),
        );
        definition
            .on_event(
                __private::EventHandler::<
                    Self,
                    __private::Context,
                >::typed::<
                    Renamed,
                >(
                        "renamed",
                        |daemon, _| __private::place(move |
                            event: __private::Arc<Renamed>|
                        async move {
                            let done = __private::outcome(
                                Self::renamed(daemon, &event).await,
                            );
                            (event, done)
                        }),
                    )
                    .when(__private::filter::<Renamed>(is_new))
                    .latest_by(__private::key::<Renamed, _>(|event| &event.user.id))
                    .concurrency(4)
                    .isolated(),
            );
        definition
            .on_event(
                __private::EventHandler::<
                    Self,
                    __private::Context,
                >::typed::<
                    Typing,
                >(
                        "typing",
                        |daemon, _| __private::place(move |
                            event: __private::Arc<Typing>|
                        async move {
                            let done = __private::outcome(Self::typing(daemon, &event));
                            (event, done)
                        }),
                    )
                    .overflow(__private::Overflow::Latest),
            );
        definition
            .on_event(
                __private::EventHandler::<
                    Self,
                    __private::Context,
                >::typed::<
                    RoomCreated,
                >(
                        "room_created",
                        |daemon, _| __private::place(move |
                            event: __private::Arc<RoomCreated>|
                        async move {
                            let done = __private::outcome(
                                Self::room_created(daemon, &event),
                            );
                            (event, done)
                        }),
                    )
                    .queue("rooms"),
            );
        definition
            .on_event(
                __private::EventHandler::<
                    Self,
                    __private::Context,
                >::typed::<
                    RoomDeleted,
                >(
                        "room_deleted",
                        |daemon, _| __private::place(move |
                            event: __private::Arc<RoomDeleted>|
                        async move {
                            let done = __private::outcome(
                                Self::room_deleted(daemon, &event),
                            );
                            (event, done)
                        }),
                    )
                    .queue("rooms")
                    .isolated(),
            );
        #[cfg(unix)]
        definition
            .on_event(
                __private::EventHandler::<
                    Self,
                    __private::Context,
                >::envelope(
                    "any",
                    "data:*",
                    |daemon, cx| __private::place(move |
                        event: __private::Arc<__private::Envelope>|
                    async move {
                        let done = __private::outcome(Self::any(daemon, &event, cx));
                        (event, done)
                    }),
                ),
            );
        definition
            .every(
                __private::Interval::<
                    Self,
                >::new(
                    "sync",
                    __private::Schedule::every(__private::Duration::new(30u64, 0u32))
                        .immediately()
                        .jitter(__private::Percent::from_hundredths(1000u16))
                        .timeout(__private::Duration::new(20u64, 0u32))
                        .on_error(__private::OnError::Fail),
                    |daemon, cx| __private::boxed(async move {
                        __private::outcome(Self::sync(daemon, cx).await)
                    }),
                ),
            );
        definition
            .every(
                __private::Interval::<
                    Self,
                >::new(
                    "tick",
                    __private::Schedule::every({
                        const __PERIOD: __private::Duration = __private::period(
                            "tick",
                            <UserDaemon>::PERIOD,
                            __private::Option::None,
                        );
                        __PERIOD
                    }),
                    |daemon, _| __private::boxed(async move {
                        __private::outcome(Self::tick(daemon).await)
                    }),
                ),
            );
        definition
            .every(
                __private::Interval::<
                    Self,
                >::new(
                        "tock",
                        __private::Schedule::every(__private::Period::Off)
                            .overlap(__private::Overlap::Concurrent(4))
                            .missed(__private::Missed::Burst),
                        |daemon, _| __private::boxed(async move {
                            __private::outcome(Self::tock(daemon).await)
                        }),
                    )
                    .period_from(|daemon| __private::period_of::<
                        Self,
                        _,
                    >(Self::period, daemon))
                    .skip_if(|daemon| __private::condition::<Self>(busy, daemon)),
            );
        definition
            .every(
                __private::Interval::<
                    Self,
                >::new(
                    "by_hand",
                    __private::Schedule::every(__private::Period::Off)
                        .overlap(__private::Overlap::QUEUE),
                    |daemon, _| __private::boxed(async move {
                        __private::outcome(Self::by_hand(daemon))
                    }),
                ),
            );
        definition
            .on_ready(
                __private::OnReady::<
                    Self,
                >::new(
                    "warm",
                    __private::Dependency::named::<Cache>("cache-eu"),
                    |daemon, _| __private::boxed(async move {
                        __private::outcome(Self::warm(daemon).await)
                    }),
                ),
            );
        definition
            .deferred(
                __private::Deferred::<
                    Self,
                >::new(
                    "later",
                    __private::Duration::new(2u64, 0u32),
                    |daemon, _| __private::boxed(async move {
                        __private::outcome(Self::later(daemon).await)
                    }),
                ),
            );
        definition
            .task(
                __private::Task::<
                    Self,
                >::new(
                        "import",
                        |daemon, _| __private::boxed(async move {
                            __private::outcome(Self::import(daemon).await)
                        }),
                    )
                    .finite(),
            );
        definition
            .task(
                __private::Task::<
                    Self,
                >::new(
                        "pump",
                        |daemon, _| __private::boxed(async move {
                            __private::outcome(Self::pump(daemon).await)
                        }),
                    )
                    .restart(
                        __private::RestartPolicy::new(__private::Restart::Always)
                            .backoff(
                                __private::Duration::new(1u64, 0u32),
                                __private::Duration::new(60u64, 0u32),
                            ),
                    ),
            );
        definition
            .check(
                __private::Check::<
                    Self,
                >::new(
                    "warmed_up",
                    __private::CheckOptions::new(__private::CheckKind::Startup)
                        .timeout(__private::Duration::new(1u64, 0u32)),
                    |daemon, _| __private::boxed(async move {
                        __private::outcome(Self::warmed_up(daemon).await)
                    }),
                ),
            );
        definition
            .check(
                __private::Check::<
                    Self,
                >::new(
                    "answers",
                    __private::CheckOptions::new(__private::CheckKind::Liveness)
                        .every(__private::Duration::new(30u64, 0u32))
                        .cache(__private::Duration::new(5u64, 0u32))
                        .fails(5)
                        .passes(2)
                        .group("stores")
                        .on_error(__private::OnError::Restart),
                    |daemon, _| __private::boxed(async move {
                        __private::outcome(Self::answers(daemon).await)
                    }),
                ),
            );
        definition
            .check(
                __private::Check::<
                    Self,
                >::new(
                    "fast",
                    __private::CheckOptions::new(__private::CheckKind::Readiness)
                        .every(__private::Option::None)
                        .soft(),
                    |daemon, _| __private::boxed(async move {
                        __private::outcome(Self::fast(daemon).await)
                    }),
                ),
            );
    }
}
