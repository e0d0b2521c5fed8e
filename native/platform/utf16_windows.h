// Paths as the functions of Windows take them.
#pragma once

#include <windows.h>

#include <string>

namespace silverlode::platform {

inline std::wstring utf16(const std::string& text) {
  const int size = static_cast<int>(text.size());
  std::wstring wide(static_cast<size_t>(MultiByteToWideChar(CP_UTF8, 0, text.data(), size, nullptr, 0)), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, text.data(), size, wide.data(), static_cast<int>(wide.size()));
  return wide;
}

inline std::string utf8(const std::wstring& wide) {
  const int size = static_cast<int>(wide.size());
  std::string text(
      static_cast<size_t>(WideCharToMultiByte(CP_UTF8, 0, wide.data(), size, nullptr, 0, nullptr, nullptr)), '\0');
  WideCharToMultiByte(CP_UTF8, 0, wide.data(), size, text.data(), static_cast<int>(text.size()), nullptr, nullptr);
  return text;
}

inline std::wstring utf16_absolute(const std::string& path) {
  const std::wstring wide = utf16(path);
  std::wstring full(static_cast<size_t>(GetFullPathNameW(wide.c_str(), 0, nullptr, nullptr)), L'\0');
  full.resize(GetFullPathNameW(wide.c_str(), static_cast<DWORD>(full.size()), full.data(), nullptr));
  return full;
}

}  // namespace silverlode::platform
