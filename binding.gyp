{
  "variables": {"sources": ["<!@(node native/sources.cjs)"]},
  "target_defaults": {
    "cflags!": ["-fno-exceptions"],
    "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-std=gnu++20"],
    "cflags_cc": ["-std=c++20", "-O3", "-ffp-contract=off", "-fPIC", "-fvisibility=hidden", "-fvisibility-inlines-hidden", "-Wall", "-Wextra", "-pthread"],
    "xcode_settings": {
      "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
      "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
      "GCC_ENABLE_CPP_RTTI": "YES",
      "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
      "OTHER_CPLUSPLUSFLAGS": ["-O3", "-ffp-contract=off"]
    },
    "include_dirs": ["native"]
  },
  "targets": [
    {
      "target_name": "silverlode",
      "sources": ["<@(sources)"],
      "sources/": [["exclude", "_(avx2|avx512vnni|neon)\\.cpp$"]],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NODE_ADDON_API_CPP_EXCEPTIONS_ALL", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "ldflags": ["-pthread"],
      "conditions": [
        ["OS!='linux'", {"sources/": [["exclude", "_linux\\.cpp$"]]}],
        ["OS!='mac'", {"sources/": [["exclude", "_darwin\\.cpp$"]]}],
        ["OS!='win'", {"sources/": [["exclude", "_windows\\.cpp$"]]}],
        ["OS=='win'", {"sources/": [["exclude", "_posix\\.cpp$"]]}],
        ["target_arch=='x64'", {"dependencies": ["silverlode_avx2", "silverlode_avx512vnni"]}],
        ["target_arch=='arm64'", {"dependencies": ["silverlode_neon"]}]
      ]
    }
  ],
  "conditions": [
    ["target_arch=='x64'", {
      "targets": [
        {
          "target_name": "silverlode_avx2",
          "type": "static_library",
          "sources": ["<@(sources)"],
          "sources/": [["exclude", "."], ["include", "_avx2\\.cpp$"]],
          "cflags_cc": ["-mavx2", "-mfma", "-mf16c", "-mbmi2", "-mpopcnt"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["-mavx2", "-mfma", "-mf16c", "-mbmi2", "-mpopcnt"]}
        },
        {
          "target_name": "silverlode_avx512vnni",
          "type": "static_library",
          "sources": ["<@(sources)"],
          "sources/": [["exclude", "."], ["include", "_avx512vnni\\.cpp$"]],
          "cflags_cc": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512vnni", "-mavx512vpopcntdq", "-mavx512vbmi2", "-mfma", "-mf16c", "-mbmi2", "-mpopcnt"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512vnni", "-mavx512vpopcntdq", "-mavx512vbmi2", "-mfma", "-mf16c", "-mbmi2", "-mpopcnt"]}
        }
      ]
    }],
    ["target_arch=='arm64'", {
      "targets": [
        {
          "target_name": "silverlode_neon",
          "type": "static_library",
          "sources": ["<@(sources)"],
          "sources/": [["exclude", "."], ["include", "_neon\\.cpp$"]],
          "cflags_cc": ["-march=armv8.2-a+dotprod+fp16"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["-march=armv8.2-a+dotprod+fp16"]}
        }
      ]
    }]
  ]
}
