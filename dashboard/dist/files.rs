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
        path: "assets/index-CN8Spx3O.css",
        plain: Content { data: include_bytes!("assets/index-CN8Spx3O.css"), tag: "\"3338e956a03966abcad01fc2a7c294b7\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-CN8Spx3O.css.gz"), tag: "\"b55a0708ba18b0bece3f002b51106520\"" }),
    },
    File {
        path: "assets/index-D_lnOxVE.js",
        plain: Content { data: include_bytes!("assets/index-D_lnOxVE.js"), tag: "\"cd81e3efec507885808cd9daa850960f\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-D_lnOxVE.js.gz"), tag: "\"1e3f0517ca152dd3f1c9cec923c9f86c\"" }),
    },
    File {
        path: "assets/uPlot.esm-BScb58at.js",
        plain: Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js"), tag: "\"068506d72590b07d0e53e012ff154181\"" },
        gzip: Some(Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js.gz"), tag: "\"658c2467bdb486a65dbae8ee2791dc3c\"" }),
    },
    File {
        path: "index.html",
        plain: Content { data: include_bytes!("index.html"), tag: "\"08e3dfc0f461b4c96641b005c9471967\"" },
        gzip: Some(Content { data: include_bytes!("index.html.gz"), tag: "\"519bba619c77fc5d82b95fad37a10d75\"" }),
    },
]
