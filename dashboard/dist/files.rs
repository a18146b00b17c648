&[
    File {
        path: "LICENSES.txt",
        plain: Content { data: include_bytes!("LICENSES.txt"), tag: "\"ab26ace5ecd219fd9ce54f2e86c54bc3\"" },
        gzip: None,
    },
    File {
        path: "assets/icon-DD-aLLqA.svg",
        plain: Content { data: include_bytes!("assets/icon-DD-aLLqA.svg"), tag: "\"5561d073d3d36e91d27570b147572187\"" },
        gzip: Some(Content { data: include_bytes!("assets/icon-DD-aLLqA.svg.gz"), tag: "\"7c0e8fbb7bb0f6ccdc7147b51a2ee235\"" }),
    },
    File {
        path: "assets/index-BbskqpmR.js",
        plain: Content { data: include_bytes!("assets/index-BbskqpmR.js"), tag: "\"390244eaa67b4753be545562d71654f1\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-BbskqpmR.js.gz"), tag: "\"82d1146f8ec31cdd81426b6c5334aaaa\"" }),
    },
    File {
        path: "assets/index-CN8Spx3O.css",
        plain: Content { data: include_bytes!("assets/index-CN8Spx3O.css"), tag: "\"3338e956a03966abcad01fc2a7c294b7\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-CN8Spx3O.css.gz"), tag: "\"b55a0708ba18b0bece3f002b51106520\"" }),
    },
    File {
        path: "assets/uPlot.esm-BScb58at.js",
        plain: Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js"), tag: "\"068506d72590b07d0e53e012ff154181\"" },
        gzip: Some(Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js.gz"), tag: "\"658c2467bdb486a65dbae8ee2791dc3c\"" }),
    },
    File {
        path: "index.html",
        plain: Content { data: include_bytes!("index.html"), tag: "\"37ef77ae54091de4d58d9c59645c30bc\"" },
        gzip: Some(Content { data: include_bytes!("index.html.gz"), tag: "\"d4852dafd685f65c87e5da05598cf2de\"" }),
    },
]
