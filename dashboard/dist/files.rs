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
        path: "assets/index-CArdrI5R.js",
        plain: Content { data: include_bytes!("assets/index-CArdrI5R.js"), tag: "\"c6f29b1b38d85872ae90a972144ffdb1\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-CArdrI5R.js.gz"), tag: "\"939d59e792d4a3d10ec6a08dd5a72a24\"" }),
    },
    File {
        path: "assets/index-y-GXxmRA.css",
        plain: Content { data: include_bytes!("assets/index-y-GXxmRA.css"), tag: "\"b38cc91b10842df3d5b002f073aa5a05\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-y-GXxmRA.css.gz"), tag: "\"c9d7ba5ba5ebcb96756765c0fc913628\"" }),
    },
    File {
        path: "assets/uPlot.esm-BScb58at.js",
        plain: Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js"), tag: "\"068506d72590b07d0e53e012ff154181\"" },
        gzip: Some(Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js.gz"), tag: "\"658c2467bdb486a65dbae8ee2791dc3c\"" }),
    },
    File {
        path: "index.html",
        plain: Content { data: include_bytes!("index.html"), tag: "\"8e1cbef5c2054ee29922cf229066dd01\"" },
        gzip: Some(Content { data: include_bytes!("index.html.gz"), tag: "\"99caa4414abdda0253d752fe9430e21d\"" }),
    },
]
