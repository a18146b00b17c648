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
        path: "assets/index-CGnlq08E.css",
        plain: Content { data: include_bytes!("assets/index-CGnlq08E.css"), tag: "\"993e0b15e5a40e7205ef61e03d026c90\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-CGnlq08E.css.gz"), tag: "\"0962979970c5b15fcc69e1b643030d75\"" }),
    },
    File {
        path: "assets/index-CaEOP2li.js",
        plain: Content { data: include_bytes!("assets/index-CaEOP2li.js"), tag: "\"77c0c869ad119a7aed9aedd3ddf987c2\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-CaEOP2li.js.gz"), tag: "\"7417280211da6ca3a82960138044a5fa\"" }),
    },
    File {
        path: "assets/uPlot.esm-BScb58at.js",
        plain: Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js"), tag: "\"068506d72590b07d0e53e012ff154181\"" },
        gzip: Some(Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js.gz"), tag: "\"658c2467bdb486a65dbae8ee2791dc3c\"" }),
    },
    File {
        path: "index.html",
        plain: Content { data: include_bytes!("index.html"), tag: "\"bfaa025308688a8c8db8091f217517e8\"" },
        gzip: Some(Content { data: include_bytes!("index.html.gz"), tag: "\"b005a9ee732c55586c64a32062da874e\"" }),
    },
]
