// Tables for people: columns as wide as their widest text, two blanks between them. Pure.
#ifndef POSTERN_CTL_TABLE_H
#define POSTERN_CTL_TABLE_H

#include <string>
#include <vector>

namespace postern {

class Table {
 public:
  // Columns whose title begins with '#' are numbers, to the right.
  explicit Table(std::vector<std::string> titles) { add(std::move(titles)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  // Lines with their ends, without blanks at the end; control bytes escaped.
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace postern

#endif
