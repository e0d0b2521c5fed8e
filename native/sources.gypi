{
  "variables": {
    "sources": [
      "native/binding/addon.cpp"
    ]
  }
}
