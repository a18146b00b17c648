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
        path: "assets/index-CBdzeeuw.css",
        plain: Content { data: include_bytes!("assets/index-CBdzeeuw.css"), tag: "\"9d999b7a1d9ceb46dc834fb9b1c7c9b7\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-CBdzeeuw.css.gz"), tag: "\"3cb5234b597e6a93134be73b32622cc4\"" }),
    },
    File {
        path: "assets/index-D0DyDJAc.js",
        plain: Content { data: include_bytes!("assets/index-D0DyDJAc.js"), tag: "\"9e836c0dc6c618b105e68de05fc84b36\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-D0DyDJAc.js.gz"), tag: "\"b48924c11b26f50b22c91112abaed147\"" }),
    },
    File {
        path: "assets/uPlot.esm-BScb58at.js",
        plain: Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js"), tag: "\"068506d72590b07d0e53e012ff154181\"" },
        gzip: Some(Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js.gz"), tag: "\"658c2467bdb486a65dbae8ee2791dc3c\"" }),
    },
    File {
        path: "index.html",
        plain: Content { data: include_bytes!("index.html"), tag: "\"f4391ff8989b0ccc0a55878a91d20d61\"" },
        gzip: Some(Content { data: include_bytes!("index.html.gz"), tag: "\"1e5ec435669c0b45211b2bc0d5c9f1ba\"" }),
    },
]
