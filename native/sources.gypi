{
  "variables": {
    "sources": [
      "binding/addon.cpp"
    ]
  }
}
