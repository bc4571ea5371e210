#include "base/packed_texts.h"

#include <gtest/gtest.h>

#include <string>

namespace postern {
namespace {

TEST(PackedTexts, AreEmptyAtFirst) {
  const PackedTexts<2> texts;
  EXPECT_EQ(texts[0], "");
  EXPECT_EQ(texts[1], "");
}

TEST(PackedTexts, KeepEachByItself) {
  PackedTexts<3> texts;
  texts.assign({"one", "", std::string_view("t\0o", 3)});
  EXPECT_EQ(texts[0], "one");
  EXPECT_EQ(texts[1], "");
  EXPECT_EQ(texts[2], std::string_view("t\0o", 3));
}

TEST(PackedTexts, MayBeMadeOfThemselves) {
  PackedTexts<2> texts;
  texts.assign({"first", "second"});
  texts.assign({texts[1], texts[0]});
  EXPECT_EQ(texts[0], "second");
  EXPECT_EQ(texts[1], "first");
}

TEST(PackedTexts, CutWhatIsTooLong) {
  PackedTexts<2> texts;
  texts.assign({std::string(70000, 'x'), "y"});
  EXPECT_EQ(texts[0].size(), 65535u);
  EXPECT_EQ(texts[1], "y");
}

}  // namespace
}  // namespace postern
