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
        path: "assets/index-BgKa-a6d.js",
        plain: Content { data: include_bytes!("assets/index-BgKa-a6d.js"), tag: "\"a67f6b22b8dc1dcb7dfd550b08b75dee\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-BgKa-a6d.js.gz"), tag: "\"8b9f51afd4e79ecc46b679021d78cba1\"" }),
    },
    File {
        path: "assets/index-CBdzeeuw.css",
        plain: Content { data: include_bytes!("assets/index-CBdzeeuw.css"), tag: "\"9d999b7a1d9ceb46dc834fb9b1c7c9b7\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-CBdzeeuw.css.gz"), tag: "\"3cb5234b597e6a93134be73b32622cc4\"" }),
    },
    File {
        path: "assets/uPlot.esm-BScb58at.js",
        plain: Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js"), tag: "\"068506d72590b07d0e53e012ff154181\"" },
        gzip: Some(Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js.gz"), tag: "\"658c2467bdb486a65dbae8ee2791dc3c\"" }),
    },
    File {
        path: "index.html",
        plain: Content { data: include_bytes!("index.html"), tag: "\"dd0527502412dc591d14efa0c7e8cd87\"" },
        gzip: Some(Content { data: include_bytes!("index.html.gz"), tag: "\"1324ce6714f35f3db92a5821e6184cd0\"" }),
    },
]
