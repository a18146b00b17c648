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
        path: "assets/index-BzM1JLDs.css",
        plain: Content { data: include_bytes!("assets/index-BzM1JLDs.css"), tag: "\"2ee31db333b0d7b40930d4493a71cb5d\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-BzM1JLDs.css.gz"), tag: "\"16fea6f2395650151e8cfeb5331f49af\"" }),
    },
    File {
        path: "assets/index-CfWQKXx6.js",
        plain: Content { data: include_bytes!("assets/index-CfWQKXx6.js"), tag: "\"13910cdaaa9472d3d92b27e4ba9e484e\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-CfWQKXx6.js.gz"), tag: "\"3ece2f3f652900e38a272c5e1495afde\"" }),
    },
    File {
        path: "assets/uPlot.esm-BScb58at.js",
        plain: Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js"), tag: "\"068506d72590b07d0e53e012ff154181\"" },
        gzip: Some(Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js.gz"), tag: "\"658c2467bdb486a65dbae8ee2791dc3c\"" }),
    },
    File {
        path: "index.html",
        plain: Content { data: include_bytes!("index.html"), tag: "\"8727e33831dd59d32d067c6f916307da\"" },
        gzip: Some(Content { data: include_bytes!("index.html.gz"), tag: "\"37ad3f4967ba8c578d4ef1d4089cf35c\"" }),
    },
]
