// The keys of blocks (service, listeners, passdb, userdb) as tables: parser, dumps and documentation read them.
#ifndef POSTERN_CONF_BLOCKS_H
#define POSTERN_CONF_BLOCKS_H

#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "conf/fields.h"
#include "conf/node.h"
#include "conf/row.h"
#include "conf/settings.h"

namespace postern {

// Where a key's value is kept in the block's struct.
template <class Block>
using Place = std::variant<bool Block::*, int64_t Block::*, uint16_t Block::*, std::string Block::*,
                           std::vector<std::string> Block::*, Milliseconds Block::*, FieldList Block::*>;

template <class Block>
struct BlockKey {
  Row row;
  Place<Block> place;
};

std::span<const BlockKey<ServiceSettings>> service_keys();
std::span<const BlockKey<InetListener>> inet_listener_keys();
std::span<const BlockKey<UnixListener>> unix_listener_keys();
std::span<const BlockKey<DatabaseSettings>> passdb_keys();
std::span<const BlockKey<DatabaseSettings>> userdb_keys();

// --- values in their place ---------------------------------------------------------

template <class Block>
void put_value(Block& block, const BlockKey<Block>& key, const SettingValue& value) {
  struct Put {
    Block& block;
    const SettingValue& value;
    void operator()(bool Block::*m) const { block.*m = std::get<bool>(value); }
    void operator()(int64_t Block::*m) const { block.*m = std::get<int64_t>(value); }
    void operator()(uint16_t Block::*m) const { block.*m = static_cast<uint16_t>(std::get<int64_t>(value)); }
    void operator()(std::string Block::*m) const { block.*m = std::get<std::string>(value); }
    void operator()(std::vector<std::string> Block::*m) const { block.*m = std::get<std::vector<std::string>>(value); }
    void operator()(Milliseconds Block::*m) const { block.*m = Milliseconds(std::get<int64_t>(value)); }
    void operator()(FieldList Block::*m) const { block.*m = parse_fields(std::get<std::string>(value)); }
  };
  std::visit(Put{block, value}, key.place);
}

template <class Block>
SettingValue get_value(const Block& block, const BlockKey<Block>& key) {
  struct Get {
    const Block& block;
    SettingValue operator()(bool Block::*m) const { return block.*m; }
    SettingValue operator()(int64_t Block::*m) const { return block.*m; }
    SettingValue operator()(uint16_t Block::*m) const { return int64_t{block.*m}; }
    SettingValue operator()(std::string Block::*m) const { return block.*m; }
    SettingValue operator()(std::vector<std::string> Block::*m) const { return block.*m; }
    SettingValue operator()(Milliseconds Block::*m) const { return static_cast<int64_t>((block.*m).count()); }
    SettingValue operator()(FieldList Block::*m) const { return fields_text(block.*m); }
  };
  return std::visit(Get{block}, key.place);
}

}  // namespace postern

#endif
