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
        path: "assets/index-BX5iyHS-.css",
        plain: Content { data: include_bytes!("assets/index-BX5iyHS-.css"), tag: "\"8565dd536398ced896b4cc0466051262\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-BX5iyHS-.css.gz"), tag: "\"f027329d36620d55059413d3e2a89593\"" }),
    },
    File {
        path: "assets/index-DOfWilFX.js",
        plain: Content { data: include_bytes!("assets/index-DOfWilFX.js"), tag: "\"35d57e533569b65fec5d7ae6e9291b5b\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-DOfWilFX.js.gz"), tag: "\"95ca001314a54107fbe33c9aed1c0cd2\"" }),
    },
    File {
        path: "assets/uPlot.esm-BScb58at.js",
        plain: Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js"), tag: "\"068506d72590b07d0e53e012ff154181\"" },
        gzip: Some(Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js.gz"), tag: "\"658c2467bdb486a65dbae8ee2791dc3c\"" }),
    },
    File {
        path: "index.html",
        plain: Content { data: include_bytes!("index.html"), tag: "\"93d6e58efa437a3823afd63769225006\"" },
        gzip: Some(Content { data: include_bytes!("index.html.gz"), tag: "\"15509f53bd590f5515a681b9808a1af6\"" }),
    },
]
