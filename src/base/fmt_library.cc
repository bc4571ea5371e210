// {fmt}, compiled here once. Its header-only form would compile it anew in each file that formats a text (half of all
// compile time); its shared library would bring the shared C++ runtime back (configure.ac, STATIC_RUNTIME).
// Others include fmt/core.h, or fmt/format.h for fmt::join and fmt::format_to.
#include <fmt/format-inl.h>

// What fmt/format.h declares as instantiated elsewhere, and a text of ours needs.
template FMT_API fmt::detail::thousands_sep_result<char> fmt::detail::thousands_sep_impl<char>(locale_ref);
template FMT_API char fmt::detail::decimal_point_impl(locale_ref);
