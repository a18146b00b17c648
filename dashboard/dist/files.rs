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
        path: "assets/index-DI67sS_m.js",
        plain: Content { data: include_bytes!("assets/index-DI67sS_m.js"), tag: "\"99975e1edba6c684a40ef1f9424b9103\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-DI67sS_m.js.gz"), tag: "\"2d0a219966a362372431563bfa76d086\"" }),
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
        plain: Content { data: include_bytes!("index.html"), tag: "\"08143a46145c1ab344f31b990a6c27c4\"" },
        gzip: Some(Content { data: include_bytes!("index.html.gz"), tag: "\"a9641c7195e3dae6a67615b5bc2e264d\"" }),
    },
]
