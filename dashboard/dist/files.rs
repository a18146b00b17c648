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
        path: "assets/index-Cz6oOc_k.css",
        plain: Content { data: include_bytes!("assets/index-Cz6oOc_k.css"), tag: "\"ae5ca0cb654f16a32fbafe63790b9f42\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-Cz6oOc_k.css.gz"), tag: "\"41fe3caff3c0ff0a79cf2619a48d7373\"" }),
    },
    File {
        path: "assets/index-DcVDBnfc.js",
        plain: Content { data: include_bytes!("assets/index-DcVDBnfc.js"), tag: "\"ab18245242577c10387c368c6c227bf0\"" },
        gzip: Some(Content { data: include_bytes!("assets/index-DcVDBnfc.js.gz"), tag: "\"fce191114f184ce71ec70f0dc72a306c\"" }),
    },
    File {
        path: "assets/uPlot.esm-BScb58at.js",
        plain: Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js"), tag: "\"068506d72590b07d0e53e012ff154181\"" },
        gzip: Some(Content { data: include_bytes!("assets/uPlot.esm-BScb58at.js.gz"), tag: "\"658c2467bdb486a65dbae8ee2791dc3c\"" }),
    },
    File {
        path: "index.html",
        plain: Content { data: include_bytes!("index.html"), tag: "\"4decf9ddc99090db6ff2a1b3ae8d9d13\"" },
        gzip: Some(Content { data: include_bytes!("index.html.gz"), tag: "\"a1854df5111c2871924e991e258ff3e0\"" }),
    },
]
