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
        path: "assets/index-DlHvpH1h.css",
        plain: Content { data: include_bytes!("assets/index-DlHvpH1h.css"), tag: "\"11b173806bec74760fba8c81f41e967e\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-DlHvpH1h.css.gz"), tag: "\"28f443c69a9ca2486ba9399895357838\"" }),
    },
    File {
        path: "assets/index-FpYN7Oq8.js",
        plain: Content { data: include_bytes!("assets/index-FpYN7Oq8.js"), tag: "\"d79c57b825734206fc0fb9b0d118c24d\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-FpYN7Oq8.js.gz"), tag: "\"9767ea8fe3112e92289cb29e1b653528\"" }),
    },
    File {
        path: "assets/uPlot.esm-BScb58at.js",
        plain: Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js"), tag: "\"068506d72590b07d0e53e012ff154181\"" },
        gzip: Some(Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js.gz"), tag: "\"658c2467bdb486a65dbae8ee2791dc3c\"" }),
    },
    File {
        path: "index.html",
        plain: Content { data: include_bytes!("index.html"), tag: "\"a6c9c0d236a960f7ffc7c7f06aa94a92\"" },
        gzip: Some(Content { data: include_bytes!("index.html.gz"), tag: "\"f8ed7f486e28dd69c31fb1f9025ee26a\"" }),
    },
]
