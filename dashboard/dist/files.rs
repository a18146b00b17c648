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
        path: "assets/index-D01ac9Rp.js",
        plain: Content { data: include_bytes!("assets/index-D01ac9Rp.js"), tag: "\"100825b153632f76d4cf25f81ec15654\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-D01ac9Rp.js.gz"), tag: "\"e2cd9117c3d603f32e58f36a5b097596\"" }),
    },
    File {
        path: "assets/index-DUXH48n7.css",
        plain: Content { data: include_bytes!("assets/index-DUXH48n7.css"), tag: "\"0b94e6dcfe191494e8b7e8ad5e3bda4c\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-DUXH48n7.css.gz"), tag: "\"02e3db216e8f8f293efa6a278897c296\"" }),
    },
    File {
        path: "assets/uPlot.esm-BScb58at.js",
        plain: Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js"), tag: "\"068506d72590b07d0e53e012ff154181\"" },
        gzip: Some(Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js.gz"), tag: "\"658c2467bdb486a65dbae8ee2791dc3c\"" }),
    },
    File {
        path: "index.html",
        plain: Content { data: include_bytes!("index.html"), tag: "\"639f685f7e6ef61cbb58a3d4761976e6\"" },
        gzip: Some(Content { data: include_bytes!("index.html.gz"), tag: "\"695717550060c1ce608ffb41fda0e75c\"" }),
    },
]
