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
        path: "assets/index-Ck16T-1b.css",
        plain: Content { data: include_bytes!("assets/index-Ck16T-1b.css"), tag: "\"383f3c4358ed9e2fbbbb6f3df1bdefdf\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-Ck16T-1b.css.gz"), tag: "\"44aabddb24b8362e9785d57715a61592\"" }),
    },
    File {
        path: "assets/index-D3uJFpJI.js",
        plain: Content { data: include_bytes!("assets/index-D3uJFpJI.js"), tag: "\"b4b44aaba62bbb83d0b6ac85a399bdbe\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-D3uJFpJI.js.gz"), tag: "\"277e6db36087fb24933f00560115b7c8\"" }),
    },
    File {
        path: "assets/uPlot.esm-BScb58at.js",
        plain: Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js"), tag: "\"068506d72590b07d0e53e012ff154181\"" },
        gzip: Some(Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js.gz"), tag: "\"658c2467bdb486a65dbae8ee2791dc3c\"" }),
    },
    File {
        path: "index.html",
        plain: Content { data: include_bytes!("index.html"), tag: "\"ab936ae5e4924a306c87e9fab42888b3\"" },
        gzip: Some(Content { data: include_bytes!("index.html.gz"), tag: "\"4d3d34935c52ef2310e25f7935212839\"" }),
    },
]
