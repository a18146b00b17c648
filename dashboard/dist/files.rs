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
        path: "assets/index-BJQe01Yq.js",
        plain: Content { data: include_bytes!("assets/index-BJQe01Yq.js"), tag: "\"f4e886d65beafdfbbbdd01680ef3700e\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-BJQe01Yq.js.gz"), tag: "\"610af3f01c404722602dae5f7e64b174\"" }),
    },
    File {
        path: "assets/index-Ck16T-1b.css",
        plain: Content { data: include_bytes!("assets/index-Ck16T-1b.css"), tag: "\"383f3c4358ed9e2fbbbb6f3df1bdefdf\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-Ck16T-1b.css.gz"), tag: "\"44aabddb24b8362e9785d57715a61592\"" }),
    },
    File {
        path: "assets/uPlot.esm-BScb58at.js",
        plain: Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js"), tag: "\"068506d72590b07d0e53e012ff154181\"" },
        gzip: Some(Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js.gz"), tag: "\"658c2467bdb486a65dbae8ee2791dc3c\"" }),
    },
    File {
        path: "index.html",
        plain: Content { data: include_bytes!("index.html"), tag: "\"b16809a34fe1a98f5e15e574c747ef6e\"" },
        gzip: Some(Content { data: include_bytes!("index.html.gz"), tag: "\"087599c2f9c7ea96e58966ec55287b59\"" }),
    },
]
