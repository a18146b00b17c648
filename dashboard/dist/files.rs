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
        path: "assets/index-Cbi0bEsJ.css",
        plain: Content { data: include_bytes!("assets/index-Cbi0bEsJ.css"), tag: "\"94acc0fbc0d3cdf270c92afb92075333\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-Cbi0bEsJ.css.gz"), tag: "\"7c2fc97bf545b944ea37d1e4e92b3930\"" }),
    },
    File {
        path: "assets/index-D7pa18KE.js",
        plain: Content { data: include_bytes!("assets/index-D7pa18KE.js"), tag: "\"89f05a74270df9e4df54e6fb6865fb3a\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-D7pa18KE.js.gz"), tag: "\"12ab8212514b00e1ce9f2bf50083d5df\"" }),
    },
    File {
        path: "assets/uPlot.esm-BScb58at.js",
        plain: Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js"), tag: "\"068506d72590b07d0e53e012ff154181\"" },
        gzip: Some(Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js.gz"), tag: "\"658c2467bdb486a65dbae8ee2791dc3c\"" }),
    },
    File {
        path: "index.html",
        plain: Content { data: include_bytes!("index.html"), tag: "\"a7377e543b445c66aac5363aee9240c2\"" },
        gzip: Some(Content { data: include_bytes!("index.html.gz"), tag: "\"2dab19e5ff60458dcdc571453770aaca\"" }),
    },
]
